// tests/browser/circuit.js: everything that the page of one circuit offers, against the journal beside it.
"use strict";
const { check, near, read, until } = require("./harness.js");

const number = x => x === "nan" ? NaN : x === "inf" ? Infinity : x === "-inf" ? -Infinity : x;
const single = x => typeof number(x) === "number";

// What is shown after the first `at` steps of the journal: values and gradients of single-element gates.
function expected(journal, at) {
    const value = new Map(journal.gates.map((gate, i) => [i, number(gate.value)]).filter(([i]) => journal.gates[i].kind === "constant")), gradient = new Map();
    for (const [kind, gate, edge] of journal.steps.slice(0, at)) {
        if (kind === 0) value.set(gate, number(journal.gates[gate].value));
        if (kind === 1) gradient.set(gate, number(journal.gates[gate].gradient));
        const e = journal.edges[edge];
        if (kind === 2 && e.contribution !== null && e.after !== null) gradient.set(e.input, number(e.after));
    }
    return { value, gradient };
}

// The same from the drawing and from the table: gate -> [value, gradient], as texts.
const inSight = page => page.evaluate(() => gates.map((_, i) => isSeen(partElement(i))));

const shown = page => page.evaluate(() => {
    const drawing = {}, table = [...document.querySelectorAll("#rows tr")].map(row => [...row.children].map(cell => cell.textContent));
    gates.forEach((gate, i) => {
        const face = document.querySelector(`#p${i} > .face`);
        if (face && isSeen(face)) drawing[i] = [face.querySelector(".value").textContent, face.querySelector(".grad").textContent];
    });
    return { drawing, table, say: document.getElementById("say").textContent, place: document.getElementById("place").textContent };
});

function agrees(want, text) {
    return want === undefined ? text === "" : text !== "" && near(read(text), want);
}

async function compareStep(page, journal, name, at) {
    const now = await shown(page), { value, gradient } = expected(journal, at), wrong = [];
    for (const [i, [v, g]] of Object.entries(now.drawing)) {
        const gate = journal.gates[i];
        if (!single(gate.value)) continue;
        if (!agrees(value.get(Number(i)), v) || !agrees(gradient.get(Number(i)), g)) wrong.push(`${gate.label}: ${v} ${g}`);
    }
    for (const [label, , , v, g] of now.table) {
        const i = journal.gates.findIndex(gate => gate.label === label);
        if (i < 0 || !single(journal.gates[i].value) || journal.gates.filter(gate => gate.label === label).length > 1) continue;
        if (!agrees(value.get(i), v) || !agrees(gradient.get(i), g)) wrong.push(`table ${label}: ${v} ${g}`);
    }
    check(`${name}: step ${at} is the journal's`, wrong.length === 0 && now.place.startsWith(`${at} /`), wrong.join("; "));
    return JSON.stringify(now);
}

// Forwards with the arrow key, then back: the same pictures in reverse.
async function walk(page, journal, name, most = Infinity) {
    await page.evaluate(() => document.activeElement.blur());
    await page.keyboard.press("Home");
    const steps = journal.steps.length, pictures = [await compareStep(page, journal, name, 0)];
    for (let at = 1; at <= Math.min(steps, most); at++) {
        await page.keyboard.press("ArrowRight");
        pictures.push(await compareStep(page, journal, name, at));
    }
    for (let at = Math.min(steps, most); at-- > 0;) {
        await page.keyboard.press("ArrowLeft");
        if (JSON.stringify(await shown(page)) !== pictures[at]) return check(`${name}: back at step ${at}`, false);
    }
    await page.keyboard.press("End");
    await compareStep(page, journal, name, steps);
    check(`${name}: steps back`, true);
}

// The buttons, the slider and autoplay do what the keys do.
async function scrub(page, journal, name) {
    const place = async () => Number((await page.textContent("#place")).split("/")[0]);
    await page.click("#first");
    check(`${name}: first`, await place() === 0);
    await page.click("#next");
    await page.click("#next");
    check(`${name}: next`, await place() === 2);
    await page.click("#back");
    check(`${name}: back`, await place() === 1);
    await page.click("#last");
    check(`${name}: last`, await place() === journal.steps.length);
    await page.focus("#scrub");
    await page.keyboard.press("ArrowLeft");
    check(`${name}: the slider takes keys`, await place() === journal.steps.length - 1);
    await page.click("#first");
    await page.evaluate(() => { page.data.pace = 15; document.activeElement.blur(); });
    await page.keyboard.press(" ");
    await until(page, () => bar.at === state.steps.length && !bar.timer);
    check(`${name}: space plays to the end`, await page.getAttribute("#play", "aria-pressed") === "false");
    await page.evaluate(() => { page.data.pace = 300; });
    await page.click("#play");
    await until(page, () => bar.at > 0 && bar.timer);
    await page.click("#play");
    check(`${name}: play stops`, await page.evaluate(() => !bar.timer));
}

// The page's own arithmetic gives what the library computed: every value, local gradient and contribution.
async function recomputes(page, journal, name) {
    const live = await page.evaluate(() => live);
    if (!live) return check(`${name}: says that it cannot be moved`, (await page.textContent("#inputsSection")).length > 20);
    const now = await page.evaluate(() => {
        const given = new Map(gates.map((gate, i) => [i, plain(gate.value)]).filter((_, i) => !["operation", "alias"].includes(gates[i].kind)));
        const v = engine.forward(journal, given);
        return { v, ...engine.backward(journal, v) };
    });
    const wrong = [];
    journal.gates.forEach((gate, i) => {
        if (!near(now.v[i], number(gate.value), 1e-11)) wrong.push(`${gate.label} (${gate.op}): ${now.v[i]}, not ${gate.value}`);
        if (gate.gradient !== null && !near(now.g[i], number(gate.gradient), 1e-10)) wrong.push(`gradient of ${gate.label}: ${now.g[i]}, not ${gate.gradient}`);
    });
    journal.edges.forEach((edge, i) => {
        if (edge.local !== null && !near(now.edges[i].local, number(edge.local), 1e-10)) wrong.push(`local of ${journal.gates[edge.gate].op} ${edge.k}: ${now.edges[i].local}, not ${edge.local}`);
    });
    check(`${name}: recomputes what the library computed`, wrong.length === 0, wrong.slice(0, 5).join("; "));
    await page.keyboard.press("End");
    const off = await page.evaluate(() => state.differences.map((d, i) => [gates[i].label, d, plain(gates[i].gradient ?? 0)]).filter(([, d, g]) => d !== undefined && Number.isFinite(g) && Math.abs(d - g) > 1e-4 * Math.max(1, Math.abs(g))));
    check(`${name}: finite differences agree`, off.length === 0, JSON.stringify(off.slice(0, 4)));
}

// A slider moved with the keys, a number typed: the circuit follows, and its derivative predicts the change.
async function moveInputs(page, journal, name) {
    const visible = await inSight(page);
    const i = journal.gates.findIndex((gate, k) => visible[k] && gate.kind === "input" && single(gate.gradient ?? "") && number(gate.gradient) !== 0 && k < journal.main);
    if (i < 0 || !await page.$(`#slide${i}`)) return;
    await page.evaluate(() => { document.activeElement.blur(); bar.go(state.steps.length); });
    const before = await page.evaluate(() => plain(state.now.v[journal.output]));
    const x = number(journal.gates[i].value), by = 1e-4;
    await page.fill(`#number${i}`, String(x + by));
    const after = await page.evaluate(() => state.now.v[journal.output]);
    check(`${name}: a typed input moves the output as its gradient says`, near((after - before) / by, number(journal.gates[i].gradient), 0.02) || Math.abs(after - before) < 1e-7, `${(after - before) / by}`);
    await page.focus(`#slide${i}`);
    await page.keyboard.press("ArrowRight");
    check(`${name}: the slider moves its number`, await page.inputValue(`#number${i}`) !== String(x + by));
    const drawn = await page.textContent(`#p${i} > .face > .value`);
    check(`${name}: the drawing follows`, near(read(drawn), Number(await page.inputValue(`#number${i}`)), 1e-4), drawn);
    await page.click("#reset");
    check(`${name}: reset`, await page.evaluate(() => plain(state.now.v[journal.output])) === before);
}

// Every wire that can be clicked shows the full sum of its gate; each term leads to its step.
async function fullSums(page, journal, name) {
    const chosen = await page.evaluate(() => wireElements[0].map(([, hit], i) => {
        hit.dispatchEvent(new MouseEvent("click", { bubbles: true }));
        return [levels[0].wires[i][4], state.chosen, [...document.querySelectorAll("#sum li")].length, document.querySelector("#total")?.textContent ?? ""];
    }));
    const wrong = chosen.filter(([gate, got, terms]) => gate >= 0 && (got !== gate || terms !== journal.edges.filter(e => e.input === gate && e.contribution !== null).length));
    check(`${name}: a wire shows its full sum`, wrong.length === 0, JSON.stringify(wrong));
    const visible = await inSight(page);
    const gate = chosen.map(([g]) => g).find(g => visible[g] && journal.gates[g].arrived > 0 && single(journal.gates[g].gradient));
    if (gate === undefined) return;
    await page.focus(`#p${gate}`);
    await page.keyboard.press("Enter");
    const total = read((await page.textContent("#total")).replace(/^.*: /, ""));
    check(`${name}: the sum is the gradient`, near(total, number(journal.gates[gate].gradient)), String(total));
    await page.click("#sum .term");
    const step = await page.evaluate(() => state.steps[bar.at - 1]);
    check(`${name}: a term leads to its step`, step[0] === 2 && journal.edges[step[2]].input === gate);
    check(`${name}: the wire is lit`, await page.evaluate(() => document.querySelectorAll(".wire.lit").length) > 0);
}

const boxesOverlap = page => page.evaluate(() => {
    const boxes = [...document.querySelectorAll(".part")].filter(part => isSeen(part)).map(part => [part, (part.classList.contains("open") ? part.querySelector(":scope > .inside > .frame") : part.querySelector(":scope > .face > .shape")).getBoundingClientRect()]);
    return boxes.flatMap(([a, p], i) => boxes.slice(0, i).filter(([b, q]) => !a.contains(b) && !b.contains(a) && p.left < q.right - 0.5 && q.left < p.right - 0.5 && p.top < q.bottom - 0.5 && q.top < p.bottom - 0.5).map(([b]) => `${a.id} ${b.id}`));
});

// Composites open with the key, the button and all at once; the inside's flows are steps of their own.
async function openGates(page, journal, name) {
    check(`${name}: nothing overlaps`, (await boxesOverlap(page)).length === 0, (await boxesOverlap(page)).join(", "));
    const visible = await inSight(page), composite = journal.gates.findIndex((gate, i) => gate.inside && visible[i]);
    if (composite < 0) return;
    const [first, n] = journal.gates[composite].inside;
    await page.focus(`#p${composite}`);
    await page.keyboard.press("o");
    const inner = journal.edges.filter(e => e.gate >= first && e.gate < first + n).length;
    check(`${name}: an open gate adds its steps`, await page.evaluate(() => state.steps.length) === journal.steps.length + n - 1 + inner);
    check(`${name}: nothing overlaps when open`, (await boxesOverlap(page)).length === 0, (await boxesOverlap(page)).join(", "));
    await page.keyboard.press("End");
    const texts = await page.evaluate(([from, to]) => gates.map((gate, i) => [i, document.querySelector(`#p${i} > .face > .value`)?.textContent, document.querySelector(`#p${i} > .face > .grad`)?.textContent]).slice(from, to), [first + 1, first + n]);
    const wrong = texts.filter(([i, v, g]) => !near(read(v), number(journal.gates[i].value)) || !near(read(g), number(journal.gates[i].gradient)));
    check(`${name}: the inside's numbers are the journal's`, wrong.length === 0, JSON.stringify(wrong));
    await page.focus(`#p${composite}`);
    await page.keyboard.press("Enter");
    await page.click("#toggle");
    check(`${name}: and closes`, await page.evaluate(() => state.steps.length) === journal.steps.length);
    await page.click("#openAll");
    check(`${name}: nothing overlaps with all open`, (await boxesOverlap(page)).length === 0, (await boxesOverlap(page)).join(", "));
    await page.click("#openAll");
    check(`${name}: all closed`, await page.evaluate(() => state.open.size) === 0);
}

// With the keyboard alone: a wrong prediction is explained, a right one counts, one is revealed.
async function quiz(page, journal, name) {
    const flows = journal.steps.map((step, at) => [step, at]).filter(([step]) => step[0] === 2 && single(journal.edges[step[2]].contribution ?? {}) && single(journal.edges[step[2]].local ?? {}) && number(journal.edges[step[2]].contribution) !== 0);
    if (!flows.length) return;
    const [step, at] = flows[0], give = number(journal.edges[step[2]].contribution);
    await page.focus("#quiz");
    await page.keyboard.press(" ");
    await page.evaluate(to => bar.go(to), at);
    await page.evaluate(() => document.activeElement.blur());
    await page.keyboard.press("ArrowRight");
    check(`${name}: the quiz holds the step back`, await page.evaluate(() => bar.at) === at && await page.evaluate(() => document.activeElement.id) === "prediction");
    await page.keyboard.type(String(-give));
    await page.keyboard.press("Enter");
    const verdict = await page.textContent("#verdict"), flipped = await page.evaluate(() => t("signFlip"));
    check(`${name}: a flipped sign is named`, verdict.includes(flipped), verdict);
    await page.fill("#prediction", String(give));
    await page.keyboard.press("Enter");
    check(`${name}: a right answer goes on`, await page.evaluate(() => bar.at) === at + 1 && (await page.textContent("#score")).includes("0") && (await page.textContent("#score")).includes("1"));
    if (flows.length > 1 && flows[1][1] === at + 1) {
        await page.click("#reveal");
        check(`${name}: revealed`, await page.evaluate(() => state.answered === 2 && state.right === 0));
    }
    await page.uncheck("#quiz");
}

// Claims: the true gradient agrees, a flipped one and one path of two are named.
async function claims(page, journal, name) {
    const plain = /^[A-Za-z_]\w*$/;
    const i = journal.gates.findIndex((gate, k) => k < journal.main && plain.test(gate.label) && single(gate.gradient ?? {}) && number(gate.gradient) !== 0 && k !== journal.output);
    if (i < 0) return;
    const gate = journal.gates[i], g = number(gate.gradient);
    await page.fill("#claimText", `d${gate.label} = ${g}\ndf/d${gate.label} = ${-g}\nno such thing = 1\n${gate.label} = )(`);
    const verdicts = await page.$$eval("#claimList li", items => items.map(item => [item.className, item.textContent]));
    check(`${name}: claims are judged`, verdicts.map(([kind]) => kind).join() === "good,bad,bad,bad", JSON.stringify(verdicts));
    check(`${name}: the flipped sign is named`, verdicts[1][1].includes(await page.evaluate(() => t("flipped"))));
    const fork = journal.gates.findIndex((other, k) => k < journal.main && other.arrived === 2 && plain.test(other.label) && single(other.gradient));
    if (fork >= 0) {
        const edge = journal.edges.find(e => e.input === fork && e.contribution !== null && number(e.contribution) !== 0);
        await page.fill("#claimText", `d${journal.gates[fork].label} = ${number(edge.contribution)}`);
        const missing = (await page.evaluate(() => t("missing", ""))).slice(0, 12);
        check(`${name}: a forgotten path is named`, (await page.textContent("#claimList")).includes(missing), await page.textContent("#claimList"));
    }
    await page.fill("#claimText", "");
}

async function tensors(page, journal, name) {
    const visible = await inSight(page);
    const i = journal.gates.findIndex((gate, k) => visible[k] && typeof gate.value === "object" && gate.gradient && gate.value.elements);
    if (i < 0) return;
    await page.click(`#p${i} > .face > .shape`);
    check(`${name}: a tensor's maps and histograms`, await page.evaluate(() => document.querySelectorAll("#chosen canvas").length === 2 && document.querySelectorAll("#chosen .histogram rect").length === 48));
    check(`${name}: a tensor's shape`, (await page.textContent("#chosen")).includes(journal.gates[i].shape.join("×")));
}

async function saves(page, name) {
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#save")]);
    const text = require("fs").readFileSync(await download.path(), "utf8");
    check(`${name}: saves a drawing`, text.startsWith("<svg") && text.includes("<style") && !text.includes("<script"));
}

module.exports = { walk, scrub, recomputes, moveInputs, fullSums, openGates, quiz, claims, tensors, saves, boxesOverlap };
