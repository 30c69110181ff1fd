"""bench/peer_torch.py: the workloads of workloads.c in PyTorch, from the same numbers.

    python3 peer_torch.py NAME THREADS [--seconds S] [--flush-denormals]

Prints the lines that bench/common/measure.h describes. run.sh sets the environment that makes PyTorch
fastest; one process measures one workload.
"""
import argparse
import math
import resource
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint_sequential

WARM_UP, FEWEST, MOST = 3, 7, 100000
DEEP, WIDE_BATCH = (1024,) * 51, (256,) * 51


class Draw:
    """The generator of bench/common/draw.c, many numbers at a time."""

    FACTOR, TERM, MASK = 1103515245, 12345, 0x7FFFFFFF

    def __init__(self):
        self.state = 12345

    def array(self, count):
        """The next count numbers: state n is factor^n state + term (1 + factor + ... + factor^(n-1)), and 32-bit
        arithmetic that wraps does not change the low 31 bits."""
        powers = np.full(count + 1, self.FACTOR, dtype=np.uint32)
        powers[0] = 1
        powers = np.multiply.accumulate(powers)
        sums = np.add.accumulate(powers[:-1])
        states = (powers[1:] * np.uint32(self.state) + sums * np.uint32(self.TERM)) & self.MASK
        self.state = int(states[-1])
        return states / 2147483648.0

    def uniform(self):
        return float(self.array(1)[0])

    def uniforms(self, shape, low, high):
        values = low + (high - low) * self.array(math.prod(shape))
        return torch.tensor(values.astype(np.float32)).reshape(shape)

    def normals(self, shape, scale, dtype=torch.float32):
        pairs = self.array(2 * math.prod(shape)).reshape(-1, 2)
        values = scale * np.sqrt(-2 * np.log(1 - pairs[:, 0])) * np.cos(2 * math.pi * pairs[:, 1])
        return torch.tensor(values).to(dtype).reshape(shape)

    def labels(self, shape, below):
        return torch.tensor((below * self.array(math.prod(shape))).astype(np.int64)).reshape(shape)


def train(optimizer, loss_of, bf16=False):
    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = loss_of()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


@torch.no_grad()
def fill(linear, weight, bias=None):
    """weight as gradtape has it, [inputs, outputs]."""
    linear.weight.copy_(weight.t())
    linear.bias.zero_() if bias is None else linear.bias.copy_(bias)
    return linear


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


def perceptron(batch, widths, normal=False, segments=0, bf16=False, **options):
    draw = Draw()
    x = draw.uniforms((batch, widths[0]), 0, 1)
    label = draw.labels((batch,), 10)
    layers = []
    for inputs, outputs in zip(widths, widths[1:]):
        bound = 1 / math.sqrt(inputs)
        shape = inputs, outputs
        weight = (draw.normals(shape, math.sqrt(2) * bound) if normal
                  else draw.uniforms(shape, -bound, bound))
        layers += [fill(nn.Linear(*shape), weight, draw.uniforms((outputs,), -bound, bound)),
                   nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    if segments:
        x.requires_grad_()  # without it PyTorch computes no gradient in the first segment
    optimizer = torch.optim.SGD(model.parameters(), **options)

    def loss_of():
        scores = checkpoint_sequential(model, segments, x) if segments else model(x)
        return F.cross_entropy(scores, label)

    return train(optimizer, loss_of, bf16)


def filters(draw, layer, bias=False):
    """A convolution's first numbers; its weight is laid out as gradtape has it."""
    bound = 1 / math.sqrt(layer.weight[0].numel())
    with torch.no_grad():
        layer.weight.copy_(draw.uniforms(layer.weight.shape, -bound, bound))
        if bias:
            layer.bias.copy_(draw.uniforms(layer.bias.shape, -bound, bound))
    return layer


def dense(draw, inputs, outputs):
    bound = 1 / math.sqrt(inputs)
    return fill(nn.Linear(inputs, outputs), draw.uniforms((inputs, outputs), -bound, bound),
                draw.uniforms((outputs,), -bound, bound))


def small_images():
    draw = Draw()
    x = draw.uniforms((64, 1, 28, 28), 0, 1).to(memory_format=torch.channels_last)
    label = draw.labels((64,), 10)
    conv1 = filters(draw, nn.Conv2d(1, 32, 3, padding=1), bias=True)
    conv2 = filters(draw, nn.Conv2d(32, 32, 3, padding=1), bias=True)
    model = nn.Sequential(conv1, nn.ReLU(), conv2, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                          dense(draw, 32 * 14 * 14, 128), nn.ReLU(), dense(draw, 128, 10))
    model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    return train(optimizer, lambda: F.cross_entropy(model(x), label))


class Block(nn.Module):
    def __init__(self, draw, inputs, outputs, stride):
        super().__init__()
        self.first = normed(draw, inputs, outputs, 3, stride)
        self.second = normed(draw, outputs, outputs, 3, 1)
        plain = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if plain else normed(draw, inputs, outputs, 1, stride)

    def forward(self, x):
        return F.relu(self.shortcut(x) + self.second(F.relu(self.first(x))))


def normed(draw, inputs, outputs, kernel, stride):
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(filters(draw, conv), nn.BatchNorm2d(outputs))


def residual_images():
    draw = Draw()
    x = draw.uniforms((32, 3, 32, 32), 0, 1).to(memory_format=torch.channels_last)
    label = draw.labels((32,), 10)
    parts = [normed(draw, 3, 16, 3, 1), nn.ReLU()]
    parts += [Block(draw, *sizes) for sizes in ((16, 16, 1), (16, 32, 2), (32, 64, 2))]
    model = nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), dense(draw, 64, 10))
    model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    return train(optimizer, lambda: F.cross_entropy(model(x), label))


class GptBlock(nn.Module):
    """Query, key and value in one product, as PyTorch likes them; the numbers are those of three."""

    def __init__(self, draw, model, heads):
        super().__init__()
        self.heads = heads

        def linear(inputs, outputs, parts=1):
            weights = [draw.normals((inputs, outputs), 0.02) for _ in range(parts)]
            return fill(nn.Linear(inputs, parts * outputs), torch.cat(weights, 1))

        self.norm1, self.norm2 = nn.LayerNorm(model), nn.LayerNorm(model)
        self.qkv, self.output = linear(model, model, 3), linear(model, model)
        self.mlp1, self.mlp2 = linear(model, 4 * model), linear(4 * model, model)

    def forward(self, x, mask):
        batch, time_, model = x.shape
        parts = self.qkv(self.norm1(x)).split(model, 2)
        q, k, v = (p.view(batch, time_, self.heads, -1).transpose(1, 2) for p in parts)
        scores = q @ k.transpose(-2, -1) / math.sqrt(model // self.heads)
        seen = scores.masked_fill(mask, -math.inf).softmax(-1) @ v
        x = x + self.output(seen.transpose(1, 2).reshape(batch, time_, model))
        return x + self.mlp2(F.gelu(self.mlp1(self.norm2(x))))


def gpt(bf16=False):
    batch, length, vocabulary, model, draw = 16, 64, 65, 128, Draw()
    index = draw.labels((batch, length), vocabulary)
    label = draw.labels((batch, length), vocabulary)
    tokens = nn.Parameter(draw.normals((vocabulary, model), 0.02))
    positions = nn.Parameter(draw.normals((length, model), 0.02))
    blocks = nn.ModuleList(GptBlock(draw, model, 4) for _ in range(4))
    norm = nn.LayerNorm(model)
    mask = torch.ones(length, length, dtype=torch.bool).triu(1)
    parameters = [tokens, positions, *blocks.parameters(), *norm.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=3e-4, betas=(0.9, 0.95), weight_decay=0.1)

    def loss_of():
        x = F.embedding(index, tokens) + positions
        for block in blocks:
            x = block(x, mask)
        return F.cross_entropy(F.linear(norm(x), tokens).flatten(0, 1), label.flatten())

    return train(optimizer, loss_of, bf16)


def lstm():
    batch, length, vocabulary, inputs, hidden, draw = 32, 64, 65, 64, 256, Draw()
    bound = 1 / math.sqrt(hidden)
    index = draw.labels((batch, length), vocabulary)
    label = draw.labels((batch, length), vocabulary)
    tokens = nn.Parameter(draw.normals((vocabulary, inputs), 1))
    wx = nn.Parameter(draw.uniforms((inputs, 4 * hidden), -bound, bound))
    wh = nn.Parameter(draw.uniforms((hidden, 4 * hidden), -bound, bound))
    b = nn.Parameter(torch.zeros(4 * hidden))
    head = fill(nn.Linear(hidden, vocabulary), draw.uniforms((hidden, vocabulary), -bound, bound))
    optimizer = torch.optim.Adam([tokens, wx, wh, b, *head.parameters()], lr=2e-3)

    def loss_of():
        x = F.embedding(index, tokens)
        h = c = torch.zeros(batch, hidden)
        states = []
        for t in range(length):
            i, f, o, u = (x[:, t] @ wx + h @ wh + b).chunk(4, 1)
            c = f.sigmoid() * c + i.sigmoid() * u.tanh()
            h = o.sigmoid() * c.tanh()
            states.append(h)
        return F.cross_entropy(head(torch.stack(states, 1)).flatten(0, 1), label.flatten())

    return train(optimizer, loss_of)


def slopes(wrt, value_of):
    """No training: the value and a fresh gradient."""
    def step():
        value = value_of()
        torch.autograd.grad(value, wrt)
        return value.detach()

    return step


def elements():
    x = Draw().normals((4194304,), 1).requires_grad_()
    return slopes([x], lambda: (x.tanh() * x.sigmoid() + (-x * x).exp() * (1 + x.exp()).log()
                                - 0.1 * x.relu()).sum())


def mixture():
    points, space, components = 1000, 10, 25
    lower, draw = space * (space - 1) // 2, Draw()

    def normals(*shape):
        return draw.normals(shape, 1, torch.float64)

    alpha, mean = normals(components).requires_grad_(), normals(components, space).requires_grad_()
    factor = normals(components, space + lower).requires_grad_()
    x = normals(points, space)
    column, row = torch.triu_indices(space, space, 1)  # below the diagonal, column by column
    gamma = torch.special.multigammaln(torch.tensor((space + 1) / 2, dtype=torch.float64), space)
    constant = (-points * space / 2 * math.log(2 * math.pi)
                - components * ((space + 1) * space * math.log(1 / math.sqrt(2)) - float(gamma)))

    def value_of():
        logs, below = factor[:, :space], factor[:, space:]
        diagonal = logs.exp()
        q = torch.diag_embed(diagonal).index_put((slice_all, row, column), below)
        scaled = (x - mean[:, None]) @ q.transpose(1, 2)
        weight = (alpha + logs.sum(1))[:, None]
        each = torch.logsumexp(weight - 0.5 * scaled.square().sum(2), 0)
        size = diagonal.square().sum() + below.square().sum()
        return each.sum() - points * torch.logsumexp(alpha, 0) + 0.5 * size + constant

    slice_all = torch.arange(components)[:, None]
    return slopes([alpha, mean, factor], value_of)


def chain(mixed):
    x, y = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (0.4, 0.3))

    def value_of():
        u, total = y, x
        for _ in range(10000 // (5 if mixed else 3)):
            u = x * u + y
            if mixed:
                u = u.sin().exp()
            total = total + u
        return total

    return slopes([x, y], value_of)


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
    "W2-bf16": lambda: perceptron(128, (784, 512, 256, 10), bf16=True, lr=0.05, momentum=0.9),
    "W3": lambda: perceptron(32, (784, 64, 10), lr=0.1),
    "W4": small_images,
    "W5": residual_images,
    "W6": gpt,
    "W6-bf16": lambda: gpt(bf16=True),
    "W7": lstm,
    "W8": elements,
    "W9": scalars,
    "W10a": lambda: chain(True),
    "W10b": lambda: chain(False),
    "W11": mixture,
    "W12": lambda: perceptron(256, DEEP + (10,), normal=True, lr=1e-3),
    "W12-bf16": lambda: perceptron(256, DEEP + (10,), normal=True, bf16=True, lr=1e-3),
    "W12c": lambda: perceptron(256, DEEP + (10,), normal=True, segments=7, lr=1e-3),
    "W12b": lambda: perceptron(8192, WIDE_BATCH + (10,), normal=True, lr=1e-3),
    "W12bc": lambda: perceptron(8192, WIDE_BATCH + (10,), normal=True, segments=7, lr=1e-3),
}
# Operations that are counted in one step: single ones, or elements.
OPERATIONS = {"W8": 4194304, "W9": 65077, "W10a": 10000, "W10b": 10000}


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
            OPERATIONS.get(options.workload, 0))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{label} peak_rss_MB {memory:.4g}")


if __name__ == "__main__":
    main()
