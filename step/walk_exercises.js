// step/walk_exercises.js: the quiz, and the judging of gradients that a reader claims.

"use strict";
// ---- quiz
const near = (a, b) => Math.abs(a - b) <= 1e-3 * Math.abs(b);
function asks(at) {
    const step = state.steps[at];
    const e = step?.[0] === FLOW && state.now.edges[step[2]];
    return byId("quiz").checked && e && e.give !== null && typeof plain(e.give) === "number" && typeof plain(e.local) === "number" ? step : null;
}

function allowed(at) {
    if (!asks(at)) return true;
    renderQuiz();
    byId("prediction").focus();
    return false;
}

function whyWrong(x, edge) {
    const e = state.now.edges[edge], own = journal.edges[edge];
    if (near(x, -plain(e.give))) return "signFlip";
    if (near(x, plain(e.local))) return "noUp";
    if (near(x, plain(e.up))) return "noLocal";
    return journal.edges.some((f, i) => i !== edge && f.gate === own.gate && near(x, plain(state.now.edges[i].give))) ? "swapped" : "off";
}

function renderQuiz() {
    const box = byId("quizBox"), step = asks(bar.at);
    box.hidden = !byId("quiz").checked;
    byId("question").textContent = step ? t("predict", nameOf(step[1]), nameOf(journal.edges[step[2]].input), figure(state.now.edges[step[2]].up)) : "";
    for (const id of ["prediction", "check", "reveal"]) byId(id).disabled = !step;
    byId("score").textContent = t("score", state.right, state.answered);
}

// A wrong answer may be tried again, but no longer counts as right.
function answer(revealed) {
    const step = asks(bar.at), text = byId("prediction").value.replace("−", "-").trim();
    if (!step) return;
    const e = state.now.edges[step[2]], right = text !== "" && near(Number(text), plain(e.give));
    if (!revealed && !right) {
        state.missed = true;
        byId("verdict").textContent = t("wrong", t(whyWrong(Number(text), step[2])));
        return;
    }
    state.answered++;
    if (!revealed && !state.missed) state.right++;
    state.missed = false;
    byId("prediction").value = "";
    bar.go(bar.at + 1);
    byId("verdict").textContent = `${revealed ? "" : t("right") + " "}${t("answer", figure(e.up), inBrackets(e.local), figure(e.give))}`;
}

function quiz() {
    return make("form", { id: "quizBox", class: "quiz", hidden: true, onsubmit: event => { event.preventDefault(); answer(false); } },
        make("label", { id: "question", for: "prediction" }), make("input", { id: "prediction", inputmode: "text", autocomplete: "off" }),
        make("button", { id: "check", text: "check" }), make("button", { id: "reveal", type: "button", text: "reveal", onclick: () => answer(true) }),
        make("output", { id: "verdict", for: "prediction" }), make("span", { id: "score" }));
}

// ---- claims: df/dx = z, or x = -4 for the gradient of x
const gateOf = name => gates.findIndex(gate => gate.label === name);
function claimedGate(text) {
    const derivative = text.match(/^[d∂].*\/\s*[d∂](.+)$/u), name = (derivative ? derivative[1] : text).trim();
    const found = gateOf(name);
    return found >= 0 || derivative ? found : gateOf(name.replace(/^[d∂]/u, ""));
}

// What kind of mistake gives x where the gradient of gate i is y?
function explain(i, x, y) {
    const terms = arrivals[i].map(edge => state.now.edges[edge]);
    if (near(x, -y)) return { words: [t("flipped")], missing: [] };
    const missing = arrivals[i].filter((_, k) => terms.length > 1 && near(x, y - plain(terms[k].give)));
    if (missing.length) return { words: [t("missing", termText(missing[0]))], missing: missing.slice(0, 1) };
    const only = terms.length > 1 ? arrivals[i].filter((_, k) => near(x, plain(terms[k].give))) : [];
    if (only.length) return { words: [t("missing", arrivals[i].filter(edge => edge !== only[0]).map(termText).join("; "))], missing: arrivals[i].filter(edge => edge !== only[0]) };
    if (terms.length && near(x, terms.reduce((sum, e) => sum + plain(e.local), 0))) return { words: [t("localOnly")], missing: [] };
    const ratio = x / y, simple = [2, 3, 4, 0.5, 1 / 3, 0.25].find(r => near(ratio, r));
    return { words: simple ? [t("factor", show(Number(simple.toPrecision(3))))] : [], missing: [] };
}

function judge(line) {
    const [left, right] = line.split(/=(.*)/s), i = claimedGate(left.trim());
    if (right === undefined) return { line, bad: t("unknown", line) };
    if (i < 0) return { line, bad: t("noName") };
    try {
        const names = new Map(gates.slice(0, journal.main).map((gate, k) => [gate.label, plain(state.now.v[k])]));
        const x = engine.value(engine.parse(right.replace(/[−]/g, "-").replace(/[·×]/g, "*")), names), y = plain(state.now.g[i] ?? 0);
        if (typeof y !== "number" || Number.isNaN(x)) return { line, bad: t("unknown", right.trim()) };
        return near(x, y) ? { line, i, good: t("agrees") } : { line, i, ...explain(i, x, y), bad: t("differs", show(x), show(y)) };
    } catch (error) {
        return { line, bad: t("unknown", error.message) };
    }
}

function renderClaims() {
    const lines = byId("claimText").value.split("\n").map(line => line.trim()).filter(Boolean).slice(0, 100);
    const found = lines.map(judge);
    byId("claimList").replaceChildren(...found.map(claim => make("li", { class: claim.good ? "good" : "bad" },
        make("code", {}, claim.line), ` ${claim.good ? "✓ " + claim.good : "✗ " + [claim.bad, ...claim.words ?? []].join(" ")}`)));
    for (const claim of found) {
        if (claim.i === undefined) continue;
        partElement(claim.i)?.classList.add(claim.good ? "right" : "wrong");
        for (const edge of claim.missing ?? []) lightWires(claim.i, journal.edges[edge].gate, journal.edges[edge].k);
    }
}

function claims() {
    return [make("label", { for: "claimText", text: "claimHelp" }), make("textarea", { id: "claimText", rows: 3, spellcheck: "false", oninput: () => render() }), make("ul", { id: "claimList", "aria-live": "polite" })];
}
