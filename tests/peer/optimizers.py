"""tests/peer/optimizers.py: the optimizers of cases.c in PyTorch, with the same options.

Where PyTorch differs: its clip_grad_norm_ adds 1e-6 to the norm that it divides by, so gradients are
clipped by hand here; it has no Lion, which is written out from the paper's algorithm.
"""
import torch
from torch import optim


class Lion:

    def __init__(self, params, lr, betas, weight_decay):
        self.params, self.lr, self.betas, self.decay = params, lr, betas, weight_decay
        self.momentum = [torch.zeros_like(p) for p in params]

    def step(self):
        first, second = self.betas
        with torch.no_grad():
            for p, m in zip(self.params, self.momentum):
                update = torch.sign(first * m + (1 - first) * p.grad)
                p.mul_(1 - self.lr * self.decay).sub_(self.lr * update)
                m.mul_(second).add_((1 - second) * p.grad)


def clip_value(gradients):
    return [g.clamp(-0.5, 0.5) for g in gradients]


def clip_norm(gradients):
    norm = torch.cat([g.flatten() for g in gradients]).norm()
    return [g * min(1, (0.5 / norm).item()) for g in gradients]


def training(make, clip=lambda gradients: gradients, **options):
    """Runs make(parameters, **options) over the gradients of the case."""

    def entry(case, weight, bias):
        params = [p.detach().clone().requires_grad_() for p in (weight, bias)]
        optimizer = make(params, **options)
        given = case.role('up')
        for t in range(len(given) // 2):
            for p, g in zip(params, clip([given[f'{t}:weight'], given[f'{t}:bias']])):
                p.grad = g.clone()
            optimizer.step()
        return params

    return entry


ENTRIES = {
    'sgd': training(optim.SGD, lr=0.1),
    'sgd_decay': training(optim.SGD, lr=0.1, weight_decay=0.05),
    'sgd_momentum': training(optim.SGD, lr=0.1, momentum=0.9, weight_decay=0.05),
    'sgd_nesterov': training(optim.SGD, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.05),
    'sgd_clip_value': training(optim.SGD, clip_value, lr=0.1),
    'sgd_clip_norm': training(optim.SGD, clip_norm, lr=0.1),
    'adam': training(optim.Adam, lr=0.01),
    'adam_decay': training(optim.Adam, lr=0.01, betas=(0.8, 0.95), eps=1e-4, weight_decay=0.05),
    'adamw': training(optim.AdamW, lr=0.01),
    'adamw_decay': training(optim.AdamW, lr=0.01, weight_decay=0.5),
    'rmsprop': training(optim.RMSprop, lr=0.01),
    'rmsprop_centered_momentum': training(optim.RMSprop, lr=0.01, alpha=0.9, eps=1e-5, momentum=0.9, centered=True,
                                          weight_decay=0.05),
    'adagrad': training(optim.Adagrad, lr=0.1),
    'adagrad_rate_decay': training(optim.Adagrad, lr=0.1, lr_decay=0.1, eps=1e-6, weight_decay=0.05),
    'adadelta': training(optim.Adadelta, lr=1),
    'adadelta_decay': training(optim.Adadelta, lr=0.5, rho=0.8, eps=1e-3, weight_decay=0.05),
    'lion': training(Lion, lr=0.01, betas=(0.9, 0.99), weight_decay=0.05),
}
