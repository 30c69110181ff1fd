// bench/peer_adolc.cpp: the workloads of single numbers, W9, W10a and W10b, in ADOL-C, the tape of C++ that Debian
// packages. Starts from the same numbers as bench/common/workload_scalars.c and prints the same lines.
//
//     peer_adolc NAME [--replay] [--seconds S]
//
// Without --replay every step tapes the function anew; with it the first step's tape is evaluated again.
#include <adolc/adolc.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <vector>

extern "C" {
#include "common/draw.h"
#include "common/measure.h"
}

namespace {

enum { POINTS = 100, NEURONS = 16, SCALARS = 337, CHAIN = 10000, TAPE = 1 };
const int width[] = {2, NEURONS, NEURONS, 1};

struct question {
    const char *name;
    adouble (*value)(const question &q, const std::vector<adouble> &x);
    bool trains;
    int operations;
    std::vector<double> x, points, slope;
    bool replay, taped;
};

// ---- W9 ----

void prepare_network(question &q) {
    bench_draw draw = bench_draw_start();
    for (int i = 0; i < POINTS; i++) {
        const int place = i / 2;
        const double angle = M_PI * place / 49.0;
        const bool upper = i % 2 == 0;
        q.points.push_back(upper ? std::cos(angle) : 1 - std::cos(angle));
        q.points.push_back(upper ? std::sin(angle) : 0.5 - std::sin(angle));
        q.points.push_back(upper ? -1 : 1);
        for (int k = 0; k < 2; k++) q.points[3 * i + k] += 0.2 * (bench_uniform(&draw) - 0.5);
    }
    for (int layer = 0; layer < 3; layer++)
        for (int neuron = 0; neuron < width[layer + 1]; neuron++)
            for (int i = 0; i <= width[layer]; i++)
                q.x.push_back(i == width[layer] ? 0 : 2 * bench_uniform(&draw) - 1);
}

adouble answer(const adouble *p, const double *point) {
    adouble before[NEURONS], after[NEURONS];
    for (int layer = 0; layer < 3; layer++) {
        const int in = width[layer], out = width[layer + 1];
        for (int neuron = 0; neuron < out; neuron++, p += in + 1) {
            adouble s = p[in];
            for (int i = 0; i < in; i++) {
                if (layer)
                    s += p[i] * before[i];
                else
                    s += p[i] * point[i];
            }
            after[neuron] = layer < 2 ? fmax(s, 0.0) : s;
        }
        for (int k = 0; k < out; k++) before[k] = after[k];
    }
    return after[0];
}

adouble network(const question &q, const std::vector<adouble> &p) {
    adouble hinge = 0, squares = 0;
    for (int k = 0; k < POINTS; k++) {
        const double *point = &q.points[3 * k];
        hinge += fmax(answer(p.data(), point) * -point[2] + 1, 0.0);
    }
    for (const adouble &weight : p) squares += weight * weight;
    return hinge * (1.0 / POINTS) + squares * 1e-4;
}

// ---- W10 ----

adouble chain(const std::vector<adouble> &x, bool mixed) {
    adouble u = x[1], sum = x[0];
    for (int n = 0; n + (mixed ? 5 : 3) <= CHAIN; n += mixed ? 5 : 3) {
        u = x[0] * u + x[1];
        if (mixed) u = exp(sin(u));
        sum += u;
    }
    return sum;
}
adouble mixed_chain(const question &, const std::vector<adouble> &x) { return chain(x, true); }
adouble arithmetic_chain(const question &, const std::vector<adouble> &x) {
    return chain(x, false);
}

// ---- running ----

double tape(const question &q) {
    double value;
    const int keep = 1;            // what the way back needs
    const unsigned room = 1 << 22; // of each buffer, in elements: the tape never goes to disk
    trace_on(TAPE, keep, room, room, room, room, 0);
    std::vector<adouble> x(q.x.size());
    for (size_t k = 0; k < x.size(); k++) x[k] <<= q.x[k];
    adouble result = q.value(q, x);
    result >>= value;
    trace_off();
    return value;
}

bool step(void *state, double *loss) {
    question &q = *static_cast<question *>(state);
    const int n = static_cast<int>(q.x.size());
    double up[1] = {1}, *upstream = up;
    int status;
    if (q.replay && q.taped)
        status = zos_forward(TAPE, 1, n, 1, q.x.data(), loss);
    else
        status = (*loss = tape(q), 0);
    q.taped = true;
    if (status < 0 || fos_reverse(TAPE, 1, n, upstream, q.slope.data()) < 0) return false;
    if (q.trains)
        for (int k = 0; k < n; k++) q.x[k] -= 0.05 * q.slope[k];
    return true;
}

bool choose(question &q, const char *name) {
    q = {name, nullptr, false, CHAIN, {}, {}, {}, false, false};
    if (std::strcmp(name, "W9") == 0) {
        q.value = network, q.trains = true, q.operations = 65077;
        prepare_network(q);
    } else {
        q.x = {0.4, 0.3};
        if (std::strcmp(name, "W10a") == 0) q.value = mixed_chain;
        if (std::strcmp(name, "W10b") == 0) q.value = arithmetic_chain;
    }
    q.slope.resize(q.x.size());
    return q.value;
}

} // namespace

int main(int argc, char **argv) {
    question q;
    double seconds = 2;
    if (argc < 2 || !choose(q, argv[1])) {
        std::fprintf(stderr, "usage: peer_adolc W9|W10a|W10b [--replay] [--seconds S]\n");
        return 2;
    }
    for (int i = 2; i < argc; i++) {
        if (std::strcmp(argv[i], "--replay") == 0) q.replay = true;
        if (std::strcmp(argv[i], "--seconds") == 0 && i + 1 < argc) seconds = std::atof(argv[++i]);
    }
    const bench_labels labels = {q.name, q.replay ? "adolc-replay" : "adolc", 1};
    if (!bench_measure(labels, seconds, q.operations, step, &q)) return 1;
    bench_print_memory(labels);
    return 0;
}
