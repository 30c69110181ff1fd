// step/walk_panels.js: sentences, the chosen gate and its full sum, maps of tensors, sliders.

"use strict";
// ---- sentences
const INFIX = { add: "+", sub: "−", mul: "×", div: "÷" };
function formulaOf(gate, words) {
    const [a, b] = gate.inputs.map(words);
    if (INFIX[gate.op]) return `${a} ${INFIX[gate.op]} ${b}`;
    const meaning = journal.operations[gate.op]?.meaning;
    if (!meaning || gate.inputs.length > 3) return `${gate.op}(${gate.inputs.map(words).join(", ")})`;
    const letters = gate.inputs.length === 1 ? { x: a } : Object.fromEntries(gate.inputs.map((input, k) => ["abc"[k], words(input)]));
    const text = meaning.replace(/(?<![\p{L}])[abcx](?![\p{L}])/gu, letter => letters[letter] ?? letter);
    return gate.numbers.length === 1 ? text.replace(/\b(number|exponent|slope|alpha)\b/, show(plain(gate.numbers[0]))) : text;
}

const inBrackets = x => { const text = figure(x); return text.startsWith("−") ? `(${text})` : text; };

function sentence(step) {
    if (!step) return t("begin");
    const [kind, i, edge] = step, gate = gates[i], now = state.now;
    if (kind === SEED) return t("seed", outputName());
    if (kind === VALUE) {
        if (gate.kind !== "operation") return t("given", nameOf(i), figure(now.v[i]));
        const numbers = gate.inputs.every(k => typeof plain(now.v[k]) === "number");
        const formula = formulaOf(gate, nameOf), filled = numbers ? formulaOf(gate, k => inBrackets(now.v[k])) : shapeOf(gate);
        return t("computed", nameOf(i), formula === filled ? formula : `${formula} = ${filled}`, figure(now.v[i]));
    }
    const e = now.edges[edge], to = journal.edges[edge].input;
    if (e.give === null) return t("none", nameOf(i), nameOf(to));
    const words = [t("flow", nameOf(i), nameOf(to), figure(e.up), e.local === null ? "…" : inBrackets(e.local), figure(e.give))];
    const { symbol } = journal.edges[edge];
    if (symbol && typeof plain(e.local) === "number") words.push(t("localIs", `${symbol} = ${figure(e.local)}`));
    if (typeof e.after === "number") words.push(t("sum", nameOf(to), show(e.before), show(e.after)));
    return words.join(" ");
}

// ---- the chosen gate
function choose(i) {
    if (i === NONE || i === undefined) return;
    state.chosen = i;
    render();
}

const rolesOf = i => [gates[i].role, arrivals[i].length > 1 ? "adder" : ""].filter(Boolean);
const roleText = i => rolesOf(i).map(role => t(role)).join("; ");

function termText(edge) {
    const e = state.now.edges[edge];
    return t("through", nameOf(journal.edges[edge].gate), figure(e.up), e.local === null ? "…" : inBrackets(e.local), figure(e.give));
}

function renderChosen() {
    const panel = byId("chosen"), i = state.chosen;
    if (i === NONE) return panel.replaceChildren(make("p", {}, t("choose")));
    const part = parts[i], gate = gates[i], content = [];
    if (part.level) content.push(make("button", { id: "toggle", text: state.open.has(i) ? "close" : "open", onclick: () => toggle(i) }, t(state.open.has(i) ? "close" : "open")));
    if (!gate) return panel.replaceChildren(make("h3", {}, t("group", nameOf(part.first), nameOf(part.last))), ...content);
    content.unshift(make("h3", {}, nameOf(i)), make("p", {}, sentence([VALUE, i])));
    if (roleText(i)) content.push(make("p", { class: "roles" }, roleText(i)));
    if (arrivals[i].length) {
        const done = new Set(state.steps.slice(0, bar.at).filter(step => step[0] === FLOW).map(step => step[2]));
        content.push(make("p", {}, t("fullSum", outputName(), nameOf(i))));
        content.push(make("ul", { id: "sum" }, ...arrivals[i].map(edge => make("li", done.has(edge) ? { class: "done" } : {},
            make("button", { class: "term", onclick: () => goToEdge(edge) }, termText(edge))))));
        content.push(make("p", { id: "total" }, t("total", figure(state.now.g[i]))));
    } else content.push(make("p", {}, t(i === journal.output ? "root" : "noGradient")));
    content.push(...tensorMaps(i));
    panel.replaceChildren(...content);
}

function goToEdge(edge) {
    const at = state.steps.findIndex(step => step[0] === FLOW && step[2] === edge);
    if (at >= 0) bar.go(at + 1);
}

// ---- tensors: a map of the elements and a histogram
const mix = (from, to, share) => from.map((x, i) => Math.round(x + (to[i] - x) * share));
function color(x, largest) {
    if (!Number.isFinite(x)) return [255, 0, 255];
    const share = largest > 0 ? Math.min(1, Math.abs(x) / largest) : 0;
    return mix([245, 245, 245], x < 0 ? [33, 86, 184] : [196, 78, 20], share);
}

function heatMap(elements, shape, label) {
    const columns = shape.at(-1) || 1, rows = Math.max(1, Math.ceil(elements.length / columns)), cell = Math.max(3, Math.min(22, Math.floor(300 / Math.max(columns, rows))));
    const canvas = make("canvas", { width: columns * cell, height: rows * cell, role: "img", "aria-label": label, class: "map" });
    const draw = canvas.getContext("2d"), numbers = elements.map(plain);
    const largest = most([0, ...numbers.map(Math.abs).filter(Number.isFinite)]);
    numbers.forEach((x, i) => {
        draw.fillStyle = `rgb(${color(x, largest)})`;
        draw.fillRect(i % columns * cell, Math.floor(i / columns) * cell, cell - (cell > 5 ? 1 : 0), cell - (cell > 5 ? 1 : 0));
    });
    return canvas;
}

function histogram(counts, low, high) {
    const top = most([1, ...counts]), wide = 240, svg = drawn("svg", { class: "histogram", viewBox: `0 0 ${wide} 74`, width: wide, height: 74, role: "img", "aria-label": counts.join(" ") });
    counts.forEach((count, i) => svg.append(drawn("rect", { x: i * wide / counts.length + 0.5, y: 58 - 56 * count / top, width: wide / counts.length - 1, height: 56 * count / top })));
    [[low, 0, "start"], [high, wide, "end"]].forEach(([x, at, anchor]) => {
        const text = drawn("text", { x: at, y: 72, "text-anchor": anchor });
        text.textContent = show(plain(x));
        svg.append(text);
    });
    return svg;
}

// A few of the elements, under the wire that carries them.
const MOST_COLUMNS = 13, MOST_ROWS = 3, CELL = 6;
function smallMap(gate, x) {
    const columns = gate.shape.at(-1) || 1, rows = Math.max(1, gate.value.elements.length / columns), map = drawn("g", { class: "small-map" });
    const wide = Math.min(columns, MOST_COLUMNS), high = Math.min(rows, MOST_ROWS), numbers = gate.value.elements.map(plain);
    const largest = most([0, ...numbers.map(Math.abs).filter(Number.isFinite)]);
    for (let i = 0; i < wide * high; i++) {
        const row = Math.floor(i / wide), column = i % wide, from = Math.floor(row * rows / high) * columns + Math.floor(column * columns / wide);
        map.append(drawn("rect", { x: x + 6 + column * CELL, y: 20 + row * CELL, width: CELL - 1, height: CELL - 1, fill: `rgb(${color(numbers[from], largest)})` }));
    }
    return map;
}

function tensorMaps(i) {
    const gate = gates[i];
    return [["valueMap", gate.value], ["gradientMap", gate.gradient]].filter(([, x]) => x && typeof x === "object").map(([key, x]) => {
        const words = `${t("shape", shapeOf(gate), gate.dtype)}; ${figure(x)}${x.not_finite ? "; " + t("notFinite", x.not_finite) : ""}`;
        return make("figure", {}, make("figcaption", {}, `${t(key)}: ${words}`),
            ...(x.elements ? [heatMap(x.elements, gate.shape, words)] : []), histogram(x.histogram, x.low, x.high));
    });
}

// ---- inputs
function sliders() {
    const leaves = live ? gates.slice(0, journal.main).map((gate, i) => i).filter(i => ["input", "parameter"].includes(gates[i].kind) && gates[i].dtype.startsWith("f")) : [];
    if (!leaves.length) return [make("p", { text: "fixed" })];
    const rows = leaves.slice(0, 40).map(i => {
        const start = plain(gates[i].value), reach = Math.max(4, 2 * Math.abs(start));
        const slide = make("input", { type: "range", id: `slide${i}`, min: start - reach, max: start + reach, step: reach / 200, "aria-label": nameOf(i) });
        const box = make("input", { type: "number", id: `number${i}`, step: "any", "aria-label": nameOf(i) });
        const set = (x, from) => {
            if (!Number.isFinite(x)) return;
            state.given.set(i, gates[i].dtype === "f32" ? Math.fround(x) : x);
            if (from !== slide) slide.value = x;
            if (from !== box) box.value = Number(x.toPrecision(6));
            recompute();
        };
        slide.value = box.value = start;
        slide.addEventListener("input", () => set(Number(slide.value), slide));
        box.addEventListener("input", () => box.value !== "" && set(Number(box.value), box));
        return make("div", { class: "slider" }, make("span", {}, nameOf(i)), slide, box);
    });
    const reset = make("button", { id: "reset", text: "reset", onclick: () => {
        state.given.clear();
        for (const i of leaves.slice(0, 40)) byId(`slide${i}`).value = byId(`number${i}`).value = plain(gates[i].value);
        recompute();
    } });
    return [...rows, reset];
}
