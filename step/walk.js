// step/walk.js: puts the page of a circuit together, and shows it anew when something has changed.

"use strict";
// Rows for the gates that are drawn; numbers as far as the steps have come.
function renderTable() {
    const { values, gradients, whole } = state.reached, step = state.steps[bar.at - 1];
    byId("rows").replaceChildren(...gates.map((gate, i) => [gate, i]).filter(([gate, i]) => gate.kind !== "alias" && isShown(levelOf(i))).map(([gate, i]) => {
        const cells = [gate.op, gate.inputs.map(nameOf).join(", "), values.has(i) ? figure(state.now.v[i]) : "", gradients.has(i) ? figure(gradients.get(i)) : "",
            whole.has(i) && state.differences[i] !== undefined ? show(state.differences[i]) : "", rolesOf(i).map(roleName).join(", ")];
        return make("tr", step?.[1] === i ? { class: "now" } : {}, make("th", { scope: "row" }, make("button", { class: "term", onclick: () => choose(i) }, nameOf(i))),
            ...cells.map((text, k) => make("td", k === 2 || k === 3 || k === 4 ? { class: "number" } : {}, text)));
    }));
}

function render() {
    state.reached = reached();
    byId("say").textContent = sentence(state.steps[bar.at - 1]);
    renderDrawing();
    renderChosen();
    renderTable();
    renderQuiz();
    renderClaims();
}

const section = (key, id, ...content) => make("section", { id: `${id}Section` }, make("h2", { text: key }), ...content);

function saveDrawing() {
    const copy = byId("circuit").cloneNode(true), style = drawn("style", {});
    style.textContent = document.querySelector("style").textContent;
    copy.prepend(style);
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    const link = make("a", { href: URL.createObjectURL(new Blob([new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" })), download: "circuit.svg" });
    link.click();
    URL.revokeObjectURL(link.href);
}

// A part and the inside of a composite gate.
function prepareParts(i) {
    if (i === NONE) return;
    const element = partElement(i);
    if (gates[i]?.inside) range(gates[i].inside).filter(k => gates[k].kind !== "alias").forEach(prepareParts);
    if (gates[i]?.value.elements) faceOf(i).append(smallMap(gates[i], Number(faceOf(i).querySelector(".value").getAttribute("x"))));
    element.setAttribute("tabindex", "0");
    element.setAttribute("role", "button");
    if (!gates[i]) element.setAttribute("aria-label", t("group", nameOf(parts[i].first), nameOf(parts[i].last)));
    element.addEventListener("click", event => { event.stopPropagation(); choose(i); });
    element.addEventListener("dblclick", event => { event.stopPropagation(); toggle(i); });
    element.addEventListener("keydown", event => {
        if (event.target !== element) return;
        if (event.key === "Enter" || event.key === " ") choose(i);
        else if (event.key === "o") toggle(i);
        else return;
        event.preventDefault();
        event.stopPropagation();
    });
}

function toggleAll() {
    const inside = gates.map((_, i) => i).filter(i => gates[i].inside);
    const open = !inside.every(i => state.open.has(i));
    setOpen(inside, open);
    byId("openAll").dataset.text = open ? "closeAll" : "openAll";
    relabel();
}

const bar = scrubber(() => state.steps.length, render, allowed);
function build() {
    const check = (id, text, checked, changed) => make("label", { class: "check" }, make("input", { type: "checkbox", id, onchange: changed, ...(checked ? { checked: true } : {}) }), make("span", { text }));
    const composite = gates.some(gate => gate.inside);
    const tools = make("div", { class: "tools" }, check("quiz", "quiz", false, () => render()), check("locals", "locals", true, () => render()),
        ...(composite ? [make("button", { id: "openAll", text: "openAll", onclick: toggleAll })] : []), make("button", { id: "save", text: "save", onclick: saveDrawing }));
    byId("view").before(bar.element, make("p", { id: "say", "aria-live": "polite" }), tools, quiz());
    const head = ["name", "operation", "inputs", "value", "gradient", "difference", "role"].map((text, i) => make("th", { scope: "col", text, class: i > 2 && i < 6 ? "number" : "" }));
    byId("view").after(make("p", { id: "keys", text: "keys" }), make("div", { class: "panels" },
        section("chosen", "chosen", make("div", { id: "chosen" })), section("inputs", "inputs", ...sliders()), section("claims", "claims", ...claims())),
    section("numbers", "numbers", make("div", { class: "scroll" }, make("table", { id: "numbers" }, make("thead", {}, make("tr", {}, ...head)), make("tbody", { id: "rows" })))));
    document.querySelector("header").append(settings(render));
    byId("circuit").setAttribute("role", "group");
    byId("circuit").dataset.label = "circuit";
    for (const [part] of levels[0].boxes) prepareParts(part);
}

function start() {
    build();
    orderSteps();
    measure();
    place();
    bar.go(state.steps.findIndex(step => step[0] === SEED) + 1);
    relabel();
}
start();
