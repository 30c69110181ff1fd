// step/page.js: what every page has: elements, two languages, light and dark, and a scrubber with keys.

"use strict";
const labels = {
    en: { language: "Language", theme: "Light or dark", auto: "as the system", light: "light", dark: "dark", first: "To the start",
        back: "Step back", next: "Step", last: "To the end", play: "Play", stop: "Stop", position: "Step {0} of {1}", print: "Print",
        keys: "Keys: ← → step, Home End start and end, space plays" },
    ko: { language: "언어", theme: "밝게 또는 어둡게", auto: "시스템 설정", light: "밝게", dark: "어둡게", first: "처음으로",
        back: "이전 단계", next: "다음 단계", last: "끝으로", play: "재생", stop: "정지", position: "{1}단계 중 {0}단계", print: "인쇄",
        keys: "키: ← → 한 단계씩, Home End 처음과 끝, 스페이스 재생" },
};
const page = { language: document.documentElement.lang === "ko" ? "ko" : "en", data: JSON.parse(document.getElementById("data").textContent) };

const byId = id => document.getElementById(id);

const t = (key, ...words) => {
    const text = labels[page.language][key] ?? labels.en[key] ?? key;
    return text.replace(/\{(\d)\}/g, (_, i) => words[i]);
};

// An element; attributes that begin with on are listeners, text is its label's key.
function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
        if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
        else if (name === "text") element.dataset.text = value;
        else if (name === "label") element.dataset.label = value;
        else if (value === true) element.setAttribute(name, "");
        else if (value !== false) element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
}
const drawn = (tag, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
};

// Of lists that are too long to be arguments.
const least = list => list.reduce((a, b) => Math.min(a, b), Infinity);
const most = list => list.reduce((a, b) => Math.max(a, b), -Infinity);

// Six digits, as the drawing in C has them; a real minus sign.
function show(x) {
    if (x === null || x === undefined) return "–";
    if (Number.isNaN(x)) return "NaN";
    if (!Number.isFinite(x)) return x > 0 ? "∞" : "−∞";
    const short = Number(x.toPrecision(6)), size = Math.abs(short);
    return (size >= 1e-4 && size < 1e6 || size === 0 ? String(short) : short.toExponential()).replace(/-/g, "−");
}

function relabel() {
    document.documentElement.lang = page.language;
    for (const element of document.querySelectorAll("[data-text]")) element.textContent = t(element.dataset.text);
    for (const element of document.querySelectorAll("[data-label]")) {
        element.setAttribute("aria-label", t(element.dataset.label));
        element.title = t(element.dataset.label);
    }
}

function settings(changed) {
    const language = make("select", { id: "language", label: "language", onchange: () => {
        page.language = language.value;
        changed();
        relabel();
    } }, make("option", { value: "en", lang: "en" }, "English"), make("option", { value: "ko", lang: "ko" }, "한국어"));
    language.value = page.language;
    const theme = make("select", { id: "theme", label: "theme", onchange: () => {
        if (theme.value === "auto") delete document.documentElement.dataset.theme;
        else document.documentElement.dataset.theme = theme.value;
    } }, ...["auto", "light", "dark"].map(value => make("option", { value, text: value })));
    return make("div", { class: "settings" }, language, theme, make("button", { id: "print", text: "print", onclick: () => print() }));
}

// A bar that moves an index from 0 to count(). go(index) shows it; allowed() may hold a step forwards back.
function scrubber(count, go, allowed = () => true) {
    const bar = { at: 0, timer: 0 };
    const range = make("input", { id: "scrub", type: "range", min: 0, label: "position", oninput: () => bar.go(Number(range.value)) });
    const place = make("output", { id: "place", for: "scrub" });
    bar.go = at => {
        bar.at = Math.max(0, Math.min(count(), at));
        range.max = count();
        range.value = bar.at;
        range.setAttribute("aria-valuetext", t("position", bar.at, count()));
        place.textContent = `${bar.at} / ${count()}`;
        go(bar.at);
    };
    bar.step = by => { if (by < 0 || allowed(bar.at)) bar.go(bar.at + by); };
    bar.stop = () => {
        clearInterval(bar.timer);
        bar.timer = 0;
        play.dataset.text = "play";
        play.textContent = t("play");
        play.setAttribute("aria-pressed", "false");
    };
    bar.play = () => {
        if (bar.timer) return bar.stop();
        if (bar.at >= count()) bar.go(0);
        bar.timer = setInterval(() => bar.at < count() && allowed(bar.at) ? bar.step(1) : bar.stop(), page.data.pace ?? 900);
        play.dataset.text = "stop";
        play.textContent = t("stop");
        play.setAttribute("aria-pressed", "true");
    };
    const button = (id, label, sign, action) => make("button", { id, label, onclick: () => { bar.stop(); action(); } }, sign);
    const play = make("button", { id: "play", text: "play", "aria-pressed": "false", onclick: bar.play });
    const actions = { ArrowLeft: () => bar.step(-1), ArrowRight: () => bar.step(1), Home: () => bar.go(0), End: () => bar.go(count()) };
    document.addEventListener("keydown", event => {
        const own = event.target.closest?.("input, textarea, select");
        if (own || event.ctrlKey || event.metaKey || event.altKey) return;
        if (event.key === " " && !event.target.closest("button, [role=button], summary, a")) bar.play();
        else if (actions[event.key]) { bar.stop(); actions[event.key](); }
        else return;
        event.preventDefault();
    });
    bar.element = make("div", { class: "bar", role: "group" },
        button("first", "first", "«", actions.Home), button("back", "back", "‹", actions.ArrowLeft), play,
        button("next", "next", "›", actions.ArrowRight), button("last", "last", "»", actions.End), range, place);
    return bar;
}
