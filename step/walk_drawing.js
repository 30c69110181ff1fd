// step/walk_drawing.js: moves the elements that step/circuit_svg.c wrote when parts open, and fills them in as steps are taken.

"use strict";
// ---- places
const FRAME = sizes.frame, GAP = sizes.gap;
const partElement = i => byId(`p${i}`);
const geometry = levels.map(() => ({}));

function openSize(level) { return { wide: geometry[level].wide + 2 * FRAME, high: geometry[level].high + 2 * FRAME }; }

// Opening a part widens its column and pushes what is above it up and what is below it down.
function placeLevel(index) {
    const level = levels[index], at = geometry[index];
    at.box = level.boxes.map(([part, column, y, wide, high]) => {
        const inside = part !== NONE && state.open.has(part) ? parts[part].level : 0;
        return { part, column, y, wide, high, now: inside ? openSize(inside) : { wide, high }, inside };
    });
    const opened = at.box.filter(box => box.inside);
    const shift = y => opened.reduce((sum, box) =>
        sum + (box.now.high - box.high) / 2 * Math.max(-1, Math.min(1, (y - box.y) / (box.high / 2))), y);
    const columns = 1 + most([-1, ...at.box.map(box => box.column)]);
    at.x = [0];
    for (let c = 0; c < columns; c++) at.x.push(at.x[c] + GAP + most([0, ...at.box.filter(box => box.column === c).map(box => box.now.wide)]));
    at.end = column => at.x[column + 1] - GAP;
    at.wires = level.wires.map(([from, to, slot, slots, gate, ...bends]) => ({ from, to, slot, slots, gate, bends: bends.map(shift) }));
    for (const box of at.box) {
        box.middle = shift(box.y);
        box.x = at.end(box.column) - box.now.wide;
    }
    const tops = at.box.map(box => box.middle - box.now.high / 2), bottoms = at.box.map(box => box.middle + box.now.high / 2);
    const bends = at.wires.flatMap(wire => wire.bends);
    const top = least([...tops, ...bends.map(y => y - 6)]), bottom = most([...bottoms, ...bends.map(y => y + 6)]);
    for (const box of at.box) box.middle -= top;
    for (const wire of at.wires) wire.bends = wire.bends.map(y => y - top);
    at.wide = at.end(columns - 1);
    at.high = bottom - top;
}

const portOffset = (box, end) => {
    if (!box.inside) return 0;
    const inner = geometry[box.inside];
    return inner.box.at(end).middle - inner.high / 2;
};
function wirePath(at, wire) {
    const from = at.box[wire.from], to = at.box[wire.to];
    const startX = from.part === NONE ? -FRAME : from.x + from.now.wide;
    let y = from.middle + portOffset(from, -1), path = `M${startX} ${y}H${at.end(from.column)}`;
    const port = wire.slots > 1 ? sizes.ports * to.high * (wire.slot / (wire.slots - 1) - 0.5) : 0;
    const endX = to.part === NONE ? at.wide + FRAME : to.inside ? to.x : to.x + sizes.local;
    const endY = to.middle + (to.inside ? portOffset(to, 0) : port);
    for (let i = 0; i <= wire.bends.length; i++) {
        const column = from.column + 1 + i, left = at.end(column - 1), right = at.x[column], half = (left + right) / 2;
        const down = i < wire.bends.length ? wire.bends[i] : endY;
        path += `C${half} ${y} ${half} ${down} ${right} ${down}H${i < wire.bends.length ? at.end(column) : endX}`;
        y = down;
    }
    return path;
}

function placeElements(index) {
    const at = geometry[index], paths = wireElements[index];
    at.wires.forEach((wire, i) => { for (const path of paths[i]) path.setAttribute("d", wirePath(at, wire)); });
    for (const box of at.box) {
        if (box.part === NONE) continue;
        const element = partElement(box.part);
        element.setAttribute("transform", `translate(${box.x} ${box.middle})`);
        element.classList.toggle("open", Boolean(box.inside));
        if (!box.inside) continue;
        const inner = geometry[box.inside], inside = element.querySelector(":scope > .inside"), frame = inside.querySelector(":scope > .frame");
        inside.setAttribute("transform", `translate(${FRAME} ${-inner.high / 2})`);
        frame.setAttribute("width", inner.wide + 2 * FRAME);
        frame.setAttribute("height", inner.high + 2 * FRAME);
    }
}

const isShown = index => index === 0 || state.open.has(levels[index].part) && isShown(levelOf(levels[index].part));
const levelOf = part => parts[part].parent === NONE ? 0 : parts[parts[part].parent].level;
const wireElements = levels.map(() => null);

// Wires are thin: each gets a wide, invisible companion to be clicked.
// The inside of a group comes out of its template when it is first opened.
function findWires(index) {
    if (!byId(`l${index}`)) {
        partElement(levels[index].part).querySelector(":scope > .inside").append(byId(`t${index}`).content.querySelector(".level"));
        for (const [part] of levels[index].boxes) prepareParts(part);
    }
    const group = byId(`l${index}`);
    wireElements[index] = [...group.children].filter(child => child.matches(".wire")).map((path, i) => {
        const hit = drawn("path", { class: "hit" });
        hit.addEventListener("click", () => choose(levels[index].wires[i][4]));
        group.prepend(hit);
        return [path, hit];
    });
}

function place() {
    const shown = levels.map((_, i) => i).filter(i => i > 0 && isShown(i));
    for (const i of [...shown, 0]) {
        if (!wireElements[i]) findWires(i);
        placeLevel(i);
        placeElements(i);
    }
    const wide = geometry[0].wide + 36, high = geometry[0].high + 36, svg = byId("circuit");
    svg.setAttribute("viewBox", `-18 -18 ${wide} ${high}`);
    svg.setAttribute("width", wide);
    svg.setAttribute("height", high);
    svg.style.minWidth = `${0.8 * wide}px`;
}

// Opens or closes parts; the scrubber stays at the step where it was.
function setOpen(list, open) {
    const now = state.steps[bar.at - 1];
    for (const part of list) state.open[open ? "add" : "delete"](part);
    orderSteps();
    place();
    const same = state.steps.findIndex(step => now && step.every((x, i) => x === now[i]));
    bar.go(same >= 0 ? same + 1 : bar.at);
}

function toggle(part) {
    if (!parts[part].level) return;
    setOpen([part], !state.open.has(part));
    partElement(part).focus();
}

// ---- what the present step shows
const outputName = () => gates[journal.output].label.includes("#") ? "f" : gates[journal.output].label;
const nameOf = i => gates[i].label;

const constants = gates.map((_, i) => i).filter(i => gates[i].kind === "constant");

// Values and gradients as far as the steps have come; whole: the gates whose gradient has all its parts.
function reached() {
    const values = new Set(constants), gradients = new Map(), whole = new Set();
    for (const [kind, gate, edge] of state.steps.slice(0, bar.at)) {
        if (kind === VALUE) values.add(gate);
        else if (kind === SEED) {
            gradients.set(gate, state.now.g[gate]);
            whole.add(gate);
        }
        else {
            const to = journal.edges[edge].input, e = state.now.edges[edge];
            if (e.give !== null) gradients.set(to, e.after ?? (isLast(edge) ? state.now.g[to] : e.give));
            if (isLast(edge)) whole.add(to);
        }
    }
    for (const i of state.open) if (gates[i]) for (const k of range(gates[i].inside)) {
        if (gates[k].kind === "alias" && values.has(gates[i].inputs[0])) values.add(k);
        if (k === gates[i].inside[0] + gates[i].inside[1] - 1 && gradients.has(i)) gradients.set(k, state.now.g[i]);
    }
    return { values, gradients, whole };
}
const arrivals = gates.map(() => []);
journal.edges.forEach((e, i) => { if (e.contribution !== null) arrivals[e.input].push(i); });
const isLast = edge => arrivals[journal.edges[edge].input].at(-1) === edge;

const ancestors = part => { const list = []; for (; part !== NONE; part = parts[part].parent) list.push(part); return list; };

// Lights the wires between two gates, through the borders of all that holds them.
function lightWires(from, to, slot) {
    const froms = ancestors(from), tos = ancestors(to);
    levels.forEach((level, index) => {
        if (!wireElements[index] || !geometry[index].wires) return;
        geometry[index].wires.forEach((wire, i) => {
            const a = geometry[index].box[wire.from].part, b = geometry[index].box[wire.to].part;
            const starts = a === NONE ? tos.includes(level.part) : froms.includes(a);
            const ends = b === NONE ? froms.includes(level.part) : b === to ? wire.slot === slot : tos.includes(b);
            if (starts && ends) wireElements[index][i][0].classList.add("lit");
        });
    });
    partElement(from)?.querySelector(":scope > .face > .stub")?.classList.add("lit");
}

// Marks the part that acts and scrolls a wide drawing sideways to it.
function keepInSight(i) {
    const hidden = ancestors(i).filter(part => !isShown(levelOf(part))).length;
    const element = partElement(ancestors(i)[hidden]), view = byId("view");
    element.classList.add("now");
    const own = element.getBoundingClientRect(), frame = view.getBoundingClientRect();
    if (own.left < frame.left || own.right > frame.right) view.scrollLeft += (own.left + own.right - frame.left - frame.right) / 2;
}

const roleName = role => t(role).split(":")[0];
const setText = (element, text) => { if (element && element.textContent !== text) element.textContent = text; };
const faceOf = i => partElement(i)?.querySelector(":scope > .face");

function renderDrawing() {
    const { values, gradients } = state.reached, step = state.steps[bar.at - 1];
    for (const lit of byId("circuit").querySelectorAll(".lit, .now, .chosen, .right, .wrong")) lit.classList.remove("lit", "now", "chosen", "right", "wrong");
    gates.forEach((gate, i) => {
        const face = faceOf(i);
        if (!face) return;
        const value = values.has(i) ? brief(gate, state.now.v[i]) : "", gradient = gradients.has(i) ? brief(gate, gradients.get(i)) : "";
        setText(face.querySelector(".value"), value);
        setText(face.querySelector(".grad"), gradient);
        face.querySelector(".small-map")?.classList.toggle("later", !values.has(i));
        setText(face.querySelector(".role"), gate.role && roleName(gate.role));
        for (const local of face.querySelectorAll(".local")) {
            const edge = range(gate.edges).find(e => journal.edges[e].k === Number(local.dataset.k));
            const x = plain(state.now.edges[edge]?.local);
            setText(local, byId("locals").checked && values.has(i) && typeof x === "number" ? "×" + show(Number(x.toPrecision(3))) : "");
        }
        partElement(i).setAttribute("aria-label", t("element", nameOf(i), gate.op, value || "–", gradient || "–"));
    });
    if (step?.[0] === FLOW) lightWires(journal.edges[step[2]].input, step[1], journal.edges[step[2]].k);
    if (step) keepInSight(step[1]);
    if (state.chosen !== NONE) partElement(state.chosen)?.classList.add("chosen");
}
