// step/training.js: the page of a training: loss, gradient norms, activations and dead units of each layer, step by step.

"use strict";
Object.assign(labels.en, { run: "Run", loss: "Loss", norms: "Norm of the gradient at each layer (logarithmic)", dead: "Dead units", activations: "Activations, zeros left out",
    layer: "layer", norm: "gradient norm", mean: "mean", std: "standard deviation", zero: "zeros", deadShare: "dead", at: "{0}: step {1}, loss {2}", atNoLoss: "{0}: step {1}",
    numbers: "Numbers of this step" });
Object.assign(labels.ko, { run: "실행", loss: "손실", norms: "층별 그래디언트 노름 (로그)", dead: "죽은 유닛", activations: "활성값 (0 제외)",
    layer: "층", norm: "그래디언트 노름", mean: "평균", std: "표준편차", zero: "0의 비율", deadShare: "죽은 비율", at: "{0}: {1}단계, 손실 {2}", atNoLoss: "{0}: {1}단계",
    numbers: "이 단계의 숫자" });

const real = x => typeof x === "number" ? x : x === "inf" ? Infinity : x === "-inf" ? -Infinity : NaN;
const runs = page.data.runs.map(run => ({ name: run.name, steps: run.steps.map(step => ({ number: real(step.number), loss: real(step.loss),
    layers: step.layers.map(([name, norm, mean, std, zero, dead, low, high, bins]) => ({ name, norm: real(norm), mean: real(mean), std: real(std), zero: real(zero), dead: real(dead), low: real(low), high: real(high), bins })) })) }));
let run = runs[0] ?? { name: "", steps: [] };
const NOTHING = { number: NaN, loss: NaN, layers: [] };
const percent = x => Number.isNaN(x) ? "–" : `${show(Number((100 * x).toPrecision(3)))} %`;
const known = x => Number.isNaN(x) ? "–" : show(x);

// ---- drawing
const WIDE = 560, ROW = 22, LEFT = 110, RIGHT = 90;
function chart(high, label) {
    return drawn("svg", { class: "chart", viewBox: `0 0 ${WIDE} ${high}`, width: WIDE, height: high, role: "img", "aria-label": label });
}
function words(svg, x, y, text, anchor = "start") {
    const element = drawn("text", { x, y, "text-anchor": anchor });
    element.textContent = text;
    svg.append(element);
}

// The run's losses, the others faintly behind it, and a mark at the present step.
function lossChart(at) {
    const high = 170, svg = chart(high, t("loss")), all = runs.flatMap(r => r.steps.map(step => step.loss)).filter(Number.isFinite);
    const low = least(all), top = most(all), longest = most([2, ...runs.map(r => r.steps.length)]);
    const scale = low > 0 && top > 50 * low ? Math.log10 : same => same, span = scale(top) - scale(low);
    const x = i => 60 + (WIDE - 80) * i / (longest - 1), y = loss => high - 22 - (high - 36) * (span > 0 ? (scale(loss) - scale(low)) / span : 0.5);
    for (const r of [...runs.filter(other => other !== run), run]) {
        const points = r.steps.map((step, i) => [x(i), y(step.loss)]).filter(([, b]) => Number.isFinite(b));
        svg.append(drawn("polyline", { class: r === run ? "curve" : "curve faint", points: points.map(point => point.map(c => c.toFixed(1)).join()).join(" ") }));
    }
    if (Number.isFinite(run.steps[at]?.loss)) svg.append(drawn("circle", { class: "mark", cx: x(at), cy: y(run.steps[at].loss), r: 5 }));
    words(svg, 54, 18, show(Number(top.toPrecision(3))), "end");
    words(svg, 54, high - 18, show(Number(low.toPrecision(3))), "end");
    words(svg, 60, high - 3, show(run.steps[0]?.number));
    words(svg, x(run.steps.length - 1), high - 3, show(run.steps.at(-1)?.number), "end");
    return svg;
}

// One bar per layer: share(layer) of the width, with its text behind it.
function bars(layers, share, text, label) {
    const svg = chart(Math.max(1, layers.length) * ROW + 4, label);
    layers.forEach((layer, i) => {
        const wide = Math.max(0, Math.min(1, share(layer))) * (WIDE - LEFT - RIGHT);
        svg.append(drawn("rect", { class: "bar-fill", x: LEFT, y: i * ROW + 4, width: wide.toFixed(1), height: ROW - 7, rx: 3 }));
        words(svg, LEFT - 8, i * ROW + 16, layer.name, "end");
        words(svg, LEFT + wide + 6, i * ROW + 16, text(layer));
    });
    return svg;
}

// The scale stays the run's own, so that bars of different steps can be compared.
function normBars(layers) {
    const all = run.steps.flatMap(step => step.layers.map(layer => layer.norm)).filter(x => x > 0 && Number.isFinite(x)).map(Math.log10);
    const low = Math.floor(least(all)) - 0.5, top = Math.ceil(most(all));
    return bars(layers, layer => layer.norm > 0 ? (Math.log10(layer.norm) - low) / Math.max(1, top - low) : 0, layer => show(Number(layer.norm.toPrecision(3))), t("norms"));
}

function histograms(layers) {
    const low = least(layers.map(layer => layer.low)), high = most(layers.map(layer => layer.high)), band = 46;
    const svg = chart(layers.length * band + 22, t("activations")), x = v => LEFT + (WIDE - LEFT - RIGHT) * (high > low ? (v - low) / (high - low) : 0.5);
    layers.forEach((layer, i) => {
        const top = most([1, ...layer.bins]), foot = (i + 1) * band, wide = (x(layer.high) - x(layer.low)) / layer.bins.length;
        words(svg, LEFT - 8, foot - 6, layer.name, "end");
        words(svg, WIDE - RIGHT + 8, foot - 6, `σ ${known(Number(layer.std.toPrecision(3)))}`);
        svg.append(drawn("path", { class: "axis", d: `M${LEFT} ${foot}H${WIDE - RIGHT}` }));
        layer.bins.forEach((count, k) => svg.append(drawn("rect", { class: "bar-fill", x: (x(layer.low) + k * wide).toFixed(1), y: (foot - 36 * count / top).toFixed(1), width: Math.max(1, wide).toFixed(1), height: (36 * count / top).toFixed(1) })));
    });
    words(svg, LEFT, layers.length * band + 16, known(Number(low.toPrecision(3))));
    words(svg, WIDE - RIGHT, layers.length * band + 16, known(Number(high.toPrecision(3))), "end");
    return svg;
}

// ---- the page
function fill(id, wanted, content) {
    byId(`${id}Section`).hidden = !wanted;
    byId(id).replaceChildren(...(wanted ? [content()] : []));
}

function sentence(step) {
    if (run.steps.length < 2) return run.name;
    return Number.isNaN(step.loss) ? t("atNoLoss", run.name, known(step.number)) : t("at", run.name, known(step.number), show(step.loss));
}

function render(at) {
    const step = run.steps[at] ?? NOTHING, layers = step.layers;
    byId("say").textContent = sentence(step);
    fill("loss", run.steps.length > 1 && run.steps.some(s => Number.isFinite(s.loss)), () => lossChart(at));
    fill("norms", layers.some(layer => layer.norm > 0), () => normBars(layers));
    fill("activations", layers.some(layer => Number.isFinite(layer.low)), () => histograms(layers.filter(layer => Number.isFinite(layer.low))));
    fill("dead", layers.some(layer => layer.dead > 0) || run.steps.some(s => s.layers.some(layer => layer.dead > 0)), () => bars(layers.filter(layer => !Number.isNaN(layer.dead)), layer => layer.dead, layer => percent(layer.dead), t("dead")));
    byId("rows").replaceChildren(...layers.map(layer => make("tr", {}, make("th", { scope: "row" }, layer.name),
        ...[known(layer.norm), known(layer.mean), known(layer.std), percent(layer.zero), percent(layer.dead)].map(text => make("td", { class: "number" }, text)))));
}

const bar = scrubber(() => Math.max(0, run.steps.length - 1), render);
function chooseRun(i) {
    run = runs[i] ?? run;
    bar.stop();
    for (const element of [bar.element, byId("keys")]) element.hidden = run.steps.length < 2;
    bar.go(Math.min(bar.at, run.steps.length - 1));
}

function build() {
    const section = key => make("section", { id: `${key}Section` }, make("h2", { text: key }), make("div", { id: key, class: "scroll" }));
    const choice = make("select", { id: "run", label: "run", onchange: () => chooseRun(choice.selectedIndex) }, ...runs.map(r => make("option", {}, r.name)));
    const head = ["layer", "norm", "mean", "std", "zero", "deadShare"].map((text, i) => make("th", { scope: "col", text, class: i ? "number" : "" }));
    byId("view").replaceWith(make("div", { class: "tools" }, make("label", { class: "check" }, make("span", { text: "run" }), choice)), bar.element, make("p", { id: "say", "aria-live": "polite" }),
        make("p", { id: "keys", text: "keys" }), make("div", { class: "charts" }, ...["loss", "norms", "activations", "dead"].map(section)),
        make("section", {}, make("h2", { text: "numbers" }), make("div", { class: "scroll" }, make("table", { id: "numbers" }, make("thead", {}, make("tr", {}, ...head)), make("tbody", { id: "rows" })))));
    document.querySelector("header").append(settings(() => render(bar.at)));
    relabel();
    chooseRun(0);
}
build();
