// tests/browser/harness.js: opens a page in Debian's chromium and watches what it must not do: complain, or ask for anything.
"use strict";
const { chromium } = require("playwright-core");

const count = { passed: 0, failed: 0 };
function check(name, holds, detail = "") {
    count[holds ? "passed" : "failed"]++;
    if (!holds) console.log(`browser: ${name} ${detail}`);
    return holds;
}
const near = (a, b, share = 1e-5) => Object.is(a, b) || Number.isNaN(a) && Number.isNaN(b) || Math.abs(a - b) <= share * Math.max(1e-12, Math.abs(b));

// What a page shows as a number, as a number.
function read(text) {
    const plain = text.trim().replace(/−/g, "-");
    if (plain === "" || plain === "–") return null;
    return plain === "∞" ? Infinity : plain === "-∞" ? -Infinity : Number(plain);
}

// Waits until a question about the page has the answer yes. (The page forbids what waitForFunction does.)
async function until(page, question) {
    for (let left = 600; left > 0 && !await page.evaluate(question); left--) await page.waitForTimeout(20);
}

async function launch() {
    return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
}

// Runs test(page) on a file and then checks that nothing was complained about or fetched.
async function visit(browser, file, test, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, offline: true, acceptDownloads: true, ...options });
    const page = await context.newPage(), complaints = [], requests = [];
    await page.addInitScript(() => { window.isSeen = element => Boolean(element?.getClientRects().length); });
    page.setDefaultTimeout(60000);
    page.on("console", message => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
    page.on("pageerror", error => complaints.push(`${error.message} ${error.stack}`));
    page.on("dialog", dialog => { complaints.push(`dialog ${dialog.message()}`); dialog.dismiss(); });
    page.on("request", request => !/^(blob|data):/.test(request.url()) && requests.push(request.url()));
    try {
        await page.goto(`file://${file}`);
        await test(page);
    } catch (error) {
        check(file, false, error.stack);
    }
    check(`${file} has no complaint`, complaints.length === 0, complaints.join("\n"));
    check(`${file} asks for nothing but itself`, requests.length === 1, requests.join(" "));
    await context.close();
}

// Every control can be reached with the Tab key alone, and says what it is.
async function reachable(page, name) {
    const wanted = await page.evaluate(() => [...document.querySelectorAll("button, input, select, textarea, [tabindex='0']")]
        .filter(element => isSeen(element) && !element.disabled).length);
    await page.evaluate(() => { document.activeElement.blur(); window.seen = new Set(); });
    const unnamed = [];
    for (let i = 0; i < wanted + 12; i++) {
        await page.keyboard.press("Tab");
        unnamed.push(...await page.evaluate(() => {
            const element = document.activeElement;
            if (element === document.body) return [];
            window.seen.add(element);
            const label = element.getAttribute("aria-label") || element.textContent.trim() || element.labels?.[0]?.textContent.trim();
            return label ? [] : [element.outerHTML];
        }));
    }
    const reached = await page.evaluate(() => window.seen.size);
    check(`${name}: Tab reaches every control`, reached >= wanted, `${reached} of ${wanted}`);
    check(`${name}: every control has a name`, unnamed.length === 0, unnamed.join(" "));
}

// Both languages say everything, and light and dark differ.
async function speaksAndShines(page, name) {
    const missing = await page.evaluate(() => Object.keys(labels.en).filter(key => !labels.ko[key]).concat(Object.keys(labels.ko).filter(key => !labels.en[key])));
    check(`${name}: labels in both languages`, missing.length === 0, missing.join(" "));
    await page.selectOption("#language", "ko");
    const words = await page.evaluate(() => [...document.querySelectorAll("[data-text]")].filter(element => isSeen(element) && !/[가-힣]/.test(element.textContent)).map(element => element.textContent));
    check(`${name}: Korean everywhere`, words.length === 0, words.join(" | "));
    check(`${name}: says that it is Korean`, await page.evaluate(() => document.documentElement.lang) === "ko");
    await page.selectOption("#language", "en");
    const back = async () => page.evaluate(() => getComputedStyle(document.body).backgroundColor + getComputedStyle(document.body).color);
    await page.selectOption("#theme", "light");
    const light = await back();
    await page.selectOption("#theme", "dark");
    const dark = await back();
    await page.selectOption("#theme", "auto");
    await page.emulateMedia({ colorScheme: "dark" });
    check(`${name}: light and dark`, light !== dark && await back() === dark);
    await page.emulateMedia({ colorScheme: "light" });
    check(`${name}: follows the system`, await back() === light);
    await page.evaluate(() => { window.printed = 0; window.print = () => window.printed++; });
    await page.click("#print");
    check(`${name}: prints`, await page.evaluate(() => window.printed) === 1);
    await page.emulateMedia({ media: "print" });
    check(`${name}: no controls on paper`, !await page.isVisible("#scrub") && !await page.isVisible("#language") && await page.isVisible("#numbers"));
    await page.emulateMedia({ media: "screen" });
}

module.exports = { check, count, near, read, until, launch, visit, reachable, speaksAndShines };
