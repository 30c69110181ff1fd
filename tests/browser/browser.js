// tests/browser/browser.js: visits every page of a folder: browser.js FOLDER [SCREENSHOTS]. A circuit's journal lies beside
// its page as .json; pages without one are trainings. tests/browser.sh runs it.
"use strict";
const fs = require("fs"), path = require("path");
const { check, count, near, read, until, launch, visit, reachable, speaksAndShines } = require("./harness.js");
const circuit = require("./circuit.js");

const folder = path.resolve(process.argv[2]), pictures = process.argv[3];
const LONG = 400;

async function visitCircuit(page, name, journal) {
    await circuit.walk(page, journal, name, 60);
    await circuit.recomputes(page, journal, name);
    await circuit.fullSums(page, journal, name);
    await circuit.openGates(page, journal, name);
    if (journal.steps.length < 60) await circuit.scrub(page, journal, name);
    await circuit.moveInputs(page, journal, name);
    await circuit.quiz(page, journal, name);
    await circuit.claims(page, journal, name);
    await circuit.tensors(page, journal, name);
    await circuit.saves(page, name);
    await reachable(page, name);
    await speaksAndShines(page, name);
}

// Groups keep what is shown at once small; they open with the keyboard, and steps go on in them.
async function visitLong(page, name, journal) {
    const shownParts = () => page.evaluate(() => [...document.querySelectorAll(".part")].filter(part => isSeen(part)).length);
    check(`${name}: few parts at first`, await shownParts() <= 60);
    let part = await page.evaluate(() => levels[0].boxes[0][0]);
    while (part >= journal.gates.length) {
        await page.focus(`#p${part}`);
        await page.keyboard.press("o");
        part = await page.evaluate(p => levels[parts[p].level].boxes[1][0], part);
    }
    check(`${name}: groups open down to the gates`, await shownParts() <= 180 && await page.isVisible("#p0"));
    check(`${name}: nothing overlaps`, (await circuit.boxesOverlap(page)).length === 0);
    await circuit.walk(page, journal, name, 6);
}

async function visitTraining(page, name) {
    const runs = await page.evaluate(() => runs.map(run => ({ name: run.name, steps: run.steps.map(step => ({ loss: step.loss, layers: step.layers.map(layer => [layer.name, layer.norm, layer.mean, layer.std]) })) })));
    check(`${name}: has runs`, runs.length > 1 && runs.every(run => run.steps.length > 0));
    for (const [i, run] of runs.entries()) {
        await page.focus("#run");
        await page.selectOption("#run", { index: i });
        await page.evaluate(() => document.activeElement.blur());
        await page.keyboard.press("Home");
        for (const [at, step] of run.steps.entries()) {
            if (at > 0) await page.keyboard.press("ArrowRight");
            const rows = await page.$$eval("#rows tr", list => list.map(row => [...row.children].map(cell => cell.textContent)));
            const same = rows.length === step.layers.length && rows.every((row, k) => row[0] === step.layers[k][0] && [1, 2, 3].every(c => Number.isNaN(step.layers[k][c]) ? row[c] === "–" : near(read(row[c]), step.layers[k][c])));
            const said = run.steps.length < 2 || near(read((await page.textContent("#say")).split(" ").at(-1)), step.loss);
            if (!same || !said) check(`${name}: ${run.name}, step ${at}`, false, JSON.stringify(rows));
        }
        check(`${name}: ${run.name}: charts`, await page.evaluate(() => [...document.querySelectorAll(".chart")].length > 0 && [...document.querySelectorAll(".chart *")].every(e => [...e.attributes].every(a => !/NaN|Infinity/.test(a.value)))));
        if (run.steps.length < 2) continue;
        await page.keyboard.press("ArrowLeft");
        check(`${name}: ${run.name}: back`, (await page.textContent("#place")).startsWith(`${run.steps.length - 2} /`));
        await page.click("#play");
        await until(page, () => !bar.timer);
        check(`${name}: ${run.name}: plays`, (await page.textContent("#place")).startsWith(`${run.steps.length - 1} /`));
    }
    await reachable(page, name);
    await speaksAndShines(page, name);
}

async function takePictures(browser, file, name) {
    for (const [kind, colorScheme, language] of [["light", "light", "en"], ["dark", "dark", "en"], ["korean", "light", "ko"]])
        await visit(browser, file, async page => {
            await page.selectOption("#language", language);
            await page.evaluate(() => document.activeElement.blur());
            if (kind !== "light") await page.keyboard.press("End");
            await page.screenshot({ path: path.join(pictures, `${name}-${kind}.png`), fullPage: true });
        }, { colorScheme });
}

(async () => {
    const browser = await launch();
    for (const file of fs.readdirSync(folder).filter(entry => entry.endsWith(".html")).sort()) {
        const name = file.replace(/\.html$/, ""), whole = path.join(folder, file), beside = path.join(folder, `${name}.json`);
        const journal = fs.existsSync(beside) && JSON.parse(fs.readFileSync(beside, "utf8"));
        await visit(browser, whole, page => !journal ? visitTraining(page, name) : journal.gates.length > LONG ? visitLong(page, name, journal) : visitCircuit(page, name, journal));
        if (pictures && !(journal && journal.gates.length > LONG)) await takePictures(browser, whole, name);
    }
    await browser.close();
    console.log(`${count.passed} passed, ${count.failed} failed`);
    process.exit(count.failed || !count.passed ? 1 : 0);
})();
