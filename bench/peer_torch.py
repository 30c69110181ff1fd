"""bench/peer_torch.py: the workloads of workloads.c in PyTorch, from the same numbers.

    python3 peer_torch.py NAME THREADS [--seconds S] [--flush-denormals]

Prints the lines that bench/common/measure.h describes. run.sh sets the environment that makes PyTorch
fastest; one process measures one workload.
"""
import argparse
import math
import resource
import time

import torch
from torch import nn
from torch.nn import functional as F

WARM_UP, FEWEST, MOST = 3, 7, 100000
SCALAR_OPERATIONS = 65077


class Draw:
    """The generator of bench/common/draw.c."""

    def __init__(self):
        self.state = 12345

    def uniform(self):
        self.state = (1103515245 * self.state + 12345) & 0x7FFFFFFF
        return self.state / 2147483648.0

    def normal(self):
        radius = math.sqrt(-2 * math.log(1 - self.uniform()))
        return radius * math.cos(6.283185307179586 * self.uniform())

    def uniforms(self, shape, low, high):
        values = [low + (high - low) * self.uniform() for _ in range(math.prod(shape))]
        return torch.tensor(values, dtype=torch.float32).reshape(shape)

    def normals(self, shape, scale):
        values = [scale * self.normal() for _ in range(math.prod(shape))]
        return torch.tensor(values, dtype=torch.float32).reshape(shape)


def seed_loop(scale):
    draw = Draw()
    x, y = draw.normals((64, 1000), 1), draw.normals((64, 10), 1)
    w1 = draw.normals((1000, 100), scale).requires_grad_()
    w2 = draw.normals((100, 10), 1).requires_grad_()

    def step():
        loss = (x.mm(w1).sigmoid().mm(w2) - y).square().sum()
        loss.backward()
        with torch.no_grad():
            for w in (w1, w2):
                w.sub_(w.grad, alpha=1e-4)
                w.grad = None
        return loss.detach()

    return step


def perceptron(batch, widths, **options):
    draw = Draw()
    x = draw.uniforms((batch, widths[0]), 0, 1)
    label = torch.tensor([int(10 * draw.uniform()) for _ in range(batch)])
    layers = []
    for inputs, outputs in zip(widths, widths[1:]):
        bound = 1 / math.sqrt(inputs)
        linear = nn.Linear(inputs, outputs)
        with torch.no_grad():
            linear.weight.copy_(draw.uniforms((inputs, outputs), -bound, bound).t())
            linear.bias.copy_(draw.uniforms((outputs,), -bound, bound))
        layers += [linear, nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    optimizer = torch.optim.SGD(model.parameters(), **options)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(model(x), label)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def moons(draw):
    """100 points on two half circles, the first coordinate's noise drawn before the second's."""
    points = []
    for i in range(100):
        angle = math.pi * (i // 2) / 49.0
        upper = i % 2 == 0
        x = math.cos(angle) if upper else 1 - math.cos(angle)
        y = math.sin(angle) if upper else 0.5 - math.sin(angle)
        x += 0.2 * (draw.uniform() - 0.5)
        y += 0.2 * (draw.uniform() - 0.5)
        points.append((x, y, -1.0 if upper else 1.0))
    return points


def scalars():
    draw = Draw()
    points = moons(draw)

    def scalar(value):
        return torch.tensor(value, requires_grad=True)

    network = []
    for inputs, outputs in ((2, 16), (16, 16), (16, 1)):
        network.append([([scalar(2 * draw.uniform() - 1) for _ in range(inputs)], scalar(0.0))
                        for _ in range(outputs)])
    parameters = [p for layer in network for weights, bias in layer for p in weights + [bias]]

    def score(point):
        values = point
        for layer in network:
            values = [sum((w * v for w, v in zip(weights, values)), bias)
                      for weights, bias in layer]
            if layer is not network[-1]:
                values = [v.relu() for v in values]
        return values[0]

    def step():
        hinge = sum((-side * score((x, y)) + 1).relu() for x, y, side in points)
        loss = hinge * 0.01 + sum(p * p for p in parameters) * 1e-4
        loss.backward()
        with torch.no_grad():
            for p in parameters:
                p.sub_(p.grad, alpha=0.05)
                p.grad = None
        return loss.detach()

    return step


WORKLOADS = {
    "W1": lambda: seed_loop(1),
    "W1s": lambda: seed_loop(0.03162277660168379),
    "W2": lambda: perceptron(128, (784, 512, 256, 10), lr=0.05, momentum=0.9),
    "W3": lambda: perceptron(32, (784, 64, 10), lr=0.1),
    "W9": scalars,
}


def measure(label, step, seconds, operations):
    for _ in range(WARM_UP):
        warm_loss = step()
    warm_loss, times = float(warm_loss), []
    start = last = time.perf_counter()
    while len(times) < MOST and (last - start < seconds or len(times) < FEWEST):
        loss = step()
        end = time.perf_counter()
        times.append(end - last)
        last = end
    times.sort()
    median = times[len(times) // 2]
    print(f"{label} us_per_step {median * 1e6:.6g} min={times[0] * 1e6:.6g} n={len(times)} "
          f"warm_loss={warm_loss:.8g} last_loss={float(loss):.6g}")
    if operations:
        print(f"{label} million_ops_per_s {operations / median * 1e-6:.4g} "
              f"best={operations / times[0] * 1e-6:.4g}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("threads", type=int)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--flush-denormals", action="store_true")
    options = parser.parse_args()
    # Before anything runs in parallel: threads inherit the setting when they start.
    if options.flush_denormals and not torch.set_flush_denormal(True):
        parser.error("no --flush-denormals on this processor")
    torch.set_num_threads(options.threads)
    label = f"{options.workload} pytorch {options.threads}"
    measure(label, WORKLOADS[options.workload](), options.seconds,
            SCALAR_OPERATIONS if options.workload == "W9" else 0)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{label} peak_rss_MB {memory:.4g}")


if __name__ == "__main__":
    main()
