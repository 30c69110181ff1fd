// step/walk_state.js: what the page of a circuit shows: the numbers of the moment and the order of steps.

"use strict";
const { journal, levels, parts, sizes } = page.data;
const gates = journal.gates, NONE = -1;
engine.use(page.data.rows);
const live = engine.isLive(journal);

// ---- numbers of the moment: the journal's own until an input is moved
const stored = () => ({
    v: gates.map(gate => gate.value), g: gates.map(gate => gate.gradient),
    edges: journal.edges.map(e => ({ up: e.up, local: e.local, give: e.contribution, before: e.before, after: e.after })),
});
const plain = x => typeof x === "string" ? engine.number(x) : x;
const state = { now: stored(), given: new Map(), open: new Set(), chosen: NONE, missed: false, right: 0, answered: 0, steps: [], differences: [] };

function figure(x) {
    if (x === null || x === undefined) return "–";
    if (typeof x !== "object") return show(plain(x));
    return t("range", ...[x.low, x.high, x.norm].map(number => show(Number(plain(number).toPrecision(3)))));
}
const shapeOf = gate => gate.shape.length ? gate.shape.join("×") : "1";
const brief = (gate, x) => x === null || x === undefined ? "–" : typeof x === "object" ? shapeOf(gate) : show(plain(x));

function recompute() {
    if (state.given.size === 0) state.now = stored();
    else {
        const v = engine.forward(journal, state.given);
        state.now = { v, ...engine.backward(journal, v) };
    }
    measure();
    render();
}

// Finite differences cost a forward pass for every gate, so long circuits go without.
function measure() {
    if (!live || gates.length > 200) return;
    const v = state.now.v.map(plain);
    state.differences = gates.map((gate, i) => gate.parent === undefined && gate.kind !== "constant" && gate.dtype.startsWith("f") ? engine.difference(journal, v, i) : undefined);
}

// ---- steps, as the journal orders them: the inside of an open composite comes first
const VALUE = 0, SEED = 1, FLOW = 2;
const isOpen = i => state.open.has(i) && gates[i].inside;
function orderSteps() {
    const inner = i => isOpen(i) ? range(gates[i].inside).filter(k => gates[k].kind !== "alias") : [];
    const flows = i => range(gates[i].edges).map(edge => [FLOW, i, edge]);
    const before = ([kind, i, edge]) => kind === VALUE ? inner(i).map(k => [VALUE, k])
        : kind === FLOW && edge === gates[i].edges[0] ? inner(i).reverse().flatMap(flows) : [];
    state.steps = journal.steps.flatMap(step => [...before(step), step]);
}
const range = ([first, count]) => Array.from({ length: count }, (_, i) => first + i);
