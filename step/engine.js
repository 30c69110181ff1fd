// step/engine.js: computes a scalar circuit again, from the journal's wiring and the library's own row texts: the
// forward expressions of C and the local gradients are read by a small parser, never run as code.

"use strict";
const engine = (() => {
    // ---- expressions: text -> tree. A tree is [kind, ...parts].
    const LEVEL = { "||": 1, "&&": 2, "==": 3, "!=": 3, "<": 4, ">": 4, "<=": 4, ">=": 4, "+": 5, "-": 5, "*": 6, "/": 6 };
    const TOKEN = /\s*(?:([\d.]+(?:[eE][-+]?\d+)?)|([\p{L}_][\p{L}\p{N}_.]*)|([|&=!<>]=?[|&]?|[-+*\/^?:(),]))/uy;

    function tokens(text) {
        const out = [];
        TOKEN.lastIndex = 0;
        const end = text.trimEnd().length;
        while (TOKEN.lastIndex < end) {
            const at = TOKEN.lastIndex, m = TOKEN.exec(text);
            if (!m) throw new Error(text.slice(at).trim());
            out.push(m[1] ? ["number", Number(m[1])] : m[2] ? ["name", m[2]] : [m[3]]);
        }
        return out.push(["end"]), out;
    }

    function parse(text) {
        const list = tokens(text);
        let at = 0, depth = 0;
        const peek = kind => list[at][0] === kind;
        const take = kind => peek(kind) && list[at++];
        const need = kind => take(kind) || fail();
        const fail = () => { throw new Error(String(list[at].at(-1))); };
        function choice() {
            if (++depth > 200) fail();
            const test = binary(1);
            const tree = take("?") ? ["?", test, choice(), (need(":"), choice())] : test;
            return depth--, tree;
        }
        function binary(level) {
            let left = unary();
            for (let l; (l = LEVEL[list[at][0]]) >= level;) left = [list[at++][0], left, binary(l + 1)];
            return left;
        }
        function unary() {
            if (++depth > 200) fail();
            const tree = take("-") ? ["negative", unary()] : take("+") ? unary() : take("!") ? ["not", unary()] : power();
            return depth--, tree;
        }
        function power() {
            const base = primary();
            return take("^") ? ["^", base, unary()] : base;
        }
        function primary() {
            const token = take("number") || take("name");
            if (token && token[0] === "name" && take("(")) {
                const args = [];
                if (!peek(")")) do args.push(choice()); while (take(","));
                need(")");
                return ["call", token[1], args];
            }
            if (token) return token;
            need("(");
            const inner = choice();
            need(")");
            return inner;
        }
        const tree = choice();
        need("end");
        return tree;
    }

    // ---- values
    const rint = x => { const r = Math.round(x); return Math.abs(x % 1) === 0.5 && r % 2 ? r - 1 : r; };

    // The series where it converges fast, else the continued fraction of the tail.
    function erfc(x) {
        if (x < 0) return 2 - erfc(-x);
        if (x < 2.2) {
            let term = x, sum = x;
            for (let n = 1; n < 90; n++) sum += term *= 2 * x * x / (2 * n + 1);
            return 1 - 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
        }
        let tail = 0;
        for (let n = 120; n > 0; n--) tail = n / 2 / (x + tail);
        return Math.exp(-x * x) / Math.sqrt(Math.PI) / (x + tail);
    }
    function erf(x) {
        if (Math.abs(x) > 0.5) return 1 - erfc(x);
        let term = x, sum = x;
        for (let n = 1; n < 40; n++) sum += term *= 2 * x * x / (2 * n + 1);
        return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
    }

    const same = x => x;
    const builtin = { rint, erf, erfc, fabs: Math.abs, exp2: x => 2 ** x, ln: Math.log, k: same, v: same, K: same };
    for (const name of ["exp", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "asin", "acos", "atan", "atan2",
        "sinh", "cosh", "tanh", "sqrt", "cbrt", "pow", "hypot", "floor", "ceil", "abs", "max", "min"]) builtin[name] = Math[name];
    const own = (object, key) => Object.prototype.hasOwnProperty.call(object, key);

    let rows = {};
    const read = {};
    function row(name) {
        if (!own(rows, name)) throw new Error(name);
        if (!own(read, name)) {
            const [forward, gradients] = rows[name];
            read[name] = { letters: gradients.length === 1 ? ["x", "p", "q"] : ["a", "b", "c"], forward: parse(forward),
                gradients: gradients.map(text => parse(text === "ZERO" ? "0" : text)) };
        }
        return read[name];
    }
    function bind(r, args, y) {
        const names = new Map([["y", y]]);
        r.letters.forEach((letter, i) => names.set(letter, args[i]));
        return names;
    }
    function call(name, args) {
        if (!name.startsWith("gt_") && own(builtin, name)) return builtin[name](...args);
        const r = row(name.replace(/^gt_/, ""));
        return value(r.forward, bind(r, args));
    }
    const operate = {
        "+": (a, b) => a + b, "-": (a, b) => a - b, "*": (a, b) => a * b, "/": (a, b) => a / b, "^": (a, b) => a ** b,
        "<": (a, b) => +(a < b), ">": (a, b) => +(a > b), "<=": (a, b) => +(a <= b), ">=": (a, b) => +(a >= b),
        "==": (a, b) => +(a === b), "!=": (a, b) => +(a !== b), "&&": (a, b) => +(a && b ? 1 : 0), "||": (a, b) => +(a || b ? 1 : 0),
        negative: a => -a, not: a => +!a,
    };
    function value(tree, names) {
        switch (tree[0]) {
        case "number": return tree[1];
        case "name":
            if (names.has(tree[1])) return names.get(tree[1]);
            throw new Error(tree[1]);
        case "call": return call(tree[1], tree[2].map(part => value(part, names)));
        case "?": return value(tree[1], names) ? value(tree[2], names) : value(tree[3], names);
        default: return operate[tree[0]](...tree.slice(1).map(part => value(part, names)));
        }
    }

    // ---- circuits
    const number = x => x === "nan" ? NaN : x === "inf" ? Infinity : x === "-inf" ? -Infinity : x;
    const round = (gate, x) => gate.dtype === "f32" ? Math.fround(x) : x;

    // Can every gate be computed here? Only single elements and operations with a row can.
    function isLive(journal) {
        return journal.gates.every(gate => typeof number(gate.value) === "number" &&
            (gate.kind !== "operation" && gate.kind !== "alias" || own(rows, gate.op)));
    }

    // Values of all gates; given[i] replaces what gate i would have.
    function forward(journal, given) {
        const v = [];
        journal.gates.forEach((gate, i) => {
            if (given.has(i)) v[i] = given.get(i);
            else if (gate.kind === "operation") v[i] = round(gate, call("gt_" + gate.op, [...gate.inputs.map(k => v[k]), ...gate.numbers]));
            else if (gate.kind === "alias") v[i] = v[journal.gates[gate.parent].inputs[0]];
            else v[i] = number(gate.value);
        });
        return v;
    }

    // The sweep, edge by edge in the journal's order.
    function backward(journal, v) {
        const g = journal.gates.map(() => null), edges = [];
        g[journal.output] = 1;
        for (const edge of journal.edges) {
            const gate = journal.gates[edge.gate], r = row(gate.op), to = journal.gates[edge.input];
            if (gate.parent !== undefined) {
                const inside = journal.gates[gate.parent].inside;
                g[inside[0] + inside[1] - 1] ??= g[gate.parent];
            }
            const up = g[edge.gate], args = [...gate.inputs.map(k => v[k]), ...gate.numbers];
            const local = round(to, value(r.gradients[edge.k], bind(r, args, v[edge.gate])));
            const give = edge.contribution === null ? null : up === 0 ? 0 : round(to, up * local);
            const before = g[edge.input] ?? 0;
            if (give !== null) g[edge.input] = edge.place ? round(to, before + give) : give;
            edges.push({ up, local, give, before, after: g[edge.input] ?? 0 });
        }
        return { g, edges };
    }

    // Central difference in the value of gate i; null where the two sides take different branches.
    function difference(journal, v, i) {
        const h = 6e-6 * Math.max(1, Math.abs(v[i])), given = new Map();
        journal.gates.forEach((gate, k) => { if (gate.kind !== "operation" && gate.kind !== "alias") given.set(k, v[k]); });
        const at = by => forward(journal, new Map(given).set(i, v[i] + by))[journal.output];
        return (at(h) - at(-h)) / (2 * h);
    }

    return { parse, value, isLive, forward, backward, difference, number, use: r => { rows = r; } };
})();
