"""tests/peer/compare.py: the library's values and gradients against PyTorch's, on the same inputs.

    build/bin/tests/peer_cases > stream; python3 tests/peer/compare.py stream

Prints a row for every operation, composition, layer and optimizer that cases.c walked: the number of
samples compared, and the largest difference of a value and of a gradient in f32 and in f64, relative to
the largest magnitude in the tensor that PyTorch has. Exit status 1 when one is wrong, that is above
LIMIT, has another shape or dtype, or a NaN or infinity elsewhere.

What PyTorch computes stands in operations.py, networks.py and optimizers.py: one entry for each name. A
name or a sample without one is printed as NOT COMPARED, with the reason where somebody gave it.
"""
import math
import sys

import networks
import operations
import optimizers
import stream
import torch
from entries import Missing, NotComparable

ENTRIES = {**operations.ENTRIES, **networks.ENTRIES, **optimizers.ENTRIES}
LIMIT = {'f32': 1e-5, 'f64': 1e-10}
BF16_LIMIT = 2**-8  # both round sums once, at most one unit apart
# Where exact arithmetic gives zeros (the gradient of a key's bias in attention), both have rounding noise: a
# difference of so many units in the last place of the case's largest number is told relative to that.
NOISE = 8


class Wrong(Exception):
    """Not a matter of how much."""


def largest(tensors):
    finite = [t[t.isfinite()].abs().max().item() for t in tensors if t.is_floating_point() and t.isfinite().any()]
    return max(finite, default=0)


def difference(ours, theirs, what, beside):
    """The largest one, relative to the largest magnitude of theirs, or beside if it is noise there; integers
    and bools must be equal."""
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        raise Wrong(f'{what} is {ours.dtype} {list(ours.shape)}, '
                    f"PyTorch's {theirs.dtype} {list(theirs.shape)}")
    if ours.numel() == 0:
        return 0
    if not ours.dtype.is_floating_point:
        if not torch.equal(ours, theirs):
            raise Wrong(f'{what} has other elements than in PyTorch')
        return 0
    a, b = ours.double(), theirs.double()
    finite = a.isfinite() & b.isfinite()
    odd_a, odd_b = a[~finite], b[~finite]
    if not (torch.equal(odd_a.isnan(), odd_b.isnan()) and torch.equal(odd_a[~odd_a.isnan()], odd_b[~odd_b.isnan()])):
        raise Wrong(f'{what} has a NaN or an infinity where PyTorch has none, or the other way round')
    if not finite.any():
        return 0
    distance, size = (a[finite] - b[finite]).abs().max().item(), b[finite].abs().max().item()
    if distance <= NOISE * torch.finfo(ours.dtype).eps * beside:
        size = max(size, beside)
    return distance / size if size else math.inf if distance else 0


def entry_of(subject):
    return ENTRIES.get(subject.name)


class Row:
    """What is known of one subject."""

    def __init__(self, subject):
        self.subject = subject
        self.worst = {}  # (dtype, 'value' or 'gradient') -> largest difference
        self.samples = set()
        self.missing = {}  # sample -> reason
        self.wrong = None

    def fail(self, case, text):
        if not self.wrong:
            self.wrong = f'{case.dtype} sample {case.sample}: {text}'

    def add(self, case, kind, what, ours, theirs, beside):
        try:
            size = difference(ours, theirs, what, beside)
        except Wrong as wrong:
            self.fail(case, str(wrong))
            return
        if ours.dtype == torch.bfloat16:
            if not size <= BF16_LIMIT:
                self.fail(case, f'{what} differs by {size:.1e} in bf16')
            return
        limit = LIMIT['f32' if ours.dtype == torch.float32 else 'f64']
        key = ('f32' if ours.dtype == torch.float32 else case.dtype, kind)
        self.worst[key] = max(self.worst.get(key, 0), size)
        if not size <= limit:
            self.fail(case, f'{what} differs by {size:.1e}')

    def verdict(self):
        if self.wrong:
            return 'WRONG: ' + self.wrong
        if self.missing:
            reasons = ', '.join(sorted(set(self.missing.values())))
            if not self.samples:
                return f'NOT COMPARED: {reasons}'
            numbers = ' '.join(str(i) for i in sorted(self.missing))
            return f'samples {numbers} NOT COMPARED: {reasons}'
        return 'agrees' if self.samples else f'NOT COMPARED: {getattr(entry_of(self.subject), "reason", "no case")}'

    def compared(self):
        return bool(self.samples) and not self.missing


def leaves_of(case):
    """The case's operands and parameters, as leaves of PyTorch; by role and key."""
    wanted = case.role('grad')
    for role in ('in', 'param'):
        for key, tensor in case.role(role).items():
            tensor.requires_grad_(key.split(':')[0] in wanted)
    return {key.split(':')[0]: t for role in ('in', 'param') for key, t in case.role(role).items()}


def gradients(results, case, leaves):
    """Of the sum of upstream times results, for the leaves that have one in the case."""
    keys = list(case.role('grad'))
    used = [(results[int(k)], up) for k, up in case.role('up').items() if results[int(k)].requires_grad]
    found = [None] * len(keys)
    if used:
        outputs, ups = zip(*used)
        found = torch.autograd.grad(outputs, [leaves[key] for key in keys], ups, allow_unused=True)
    return {key: torch.zeros_like(leaves[key]) if g is None else g for key, g in zip(keys, found)}


def compare_case(row, case, entry):
    leaves = leaves_of(case)
    keys = case.operands if case.operands is not None else [k.split(':')[0] for k in case.role('in')]
    case.after = {}  # what an entry says that the buffers hold afterwards
    results = entry(case, *(leaves[key] for key in keys))
    results = results if isinstance(results, (tuple, list)) else (results,)
    ours = case.role('out')
    if len(ours) != len(results):
        raise Wrong(f'{len(ours)} results, {len(results)} in PyTorch')
    beside = largest(ours.values())
    for key, theirs in zip(ours, results):
        row.add(case, 'value', f'result {key}', ours[key], theirs.detach(), beside)
    for name, theirs in case.after.items():
        row.add(case, 'value', f'buffer {name}', case.named('after')[name], theirs.detach(), 0)
    unsaid = set(case.named('after')) - set(case.after)
    if unsaid:
        raise Missing(f'no word on buffers {" ".join(sorted(unsaid))}')
    beside = largest(case.role('grad').values())
    if case.role('grad'):
        for key, theirs in gradients(results, case, leaves).items():
            row.add(case, 'gradient', f'the gradient of operand {key}', case.role('grad')[key], theirs, beside)


def compare(subject):
    row = Row(subject)
    entry = entry_of(subject)
    for case in subject.cases:
        try:
            if case.failed:
                raise Wrong(case.failed)
            if not entry:
                raise Missing('no entry')
            compare_case(row, case, entry)
            row.samples.add(case.sample)
        except (Missing, NotComparable) as reason:
            row.missing[case.sample] = str(reason)
        except Wrong as wrong:
            row.fail(case, str(wrong))
        except Exception as error:  # an entry that does not fit the case
            row.fail(case, f'in PyTorch: {type(error).__name__}: {error}')
    return row


def print_table(rows):
    columns = [(dtype, kind) for dtype in ('f32', 'f64') for kind in ('value', 'gradient')]
    width = max(len(row.subject.name) for row in rows)
    print(f'{"":{width}} samples' + ''.join(f' {" ".join(c):>12}' for c in columns))
    kind = None
    for row in rows:
        if row.subject.kind != kind:
            kind = row.subject.kind
            print(f'-- {kind}')
        figures = ''.join(f' {row.worst[c]:12.1e}' if c in row.worst else f' {"":12}' for c in columns)
        print(f'{row.subject.name:{width}} {len(row.samples):7}{figures}  {row.verdict()}')


def main():
    torch.set_num_threads(1)
    with open(sys.argv[1], 'rb') as file:
        rows = [compare(subject) for subject in stream.read(file)]
    print_table(rows)
    wrong = [row for row in rows if row.wrong]
    left = [row.subject.name for row in rows if not row.compared() and not row.wrong]
    if left:
        print(f'not, or not wholly, compared: {" ".join(left)}')
    print(f'compared {len(rows) - len(left)} of {len(rows)} operations, {len(wrong)} wrong')
    sys.exit(1 if wrong or not rows else 0)


if __name__ == '__main__':
    main()
