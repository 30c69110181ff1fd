"""tests/peer/stream.py: reads what cases.c writes."""
import math
import struct
from dataclasses import dataclass, field

import torch

DTYPES = {
    'f32': torch.float32,
    'f64': torch.float64,
    'i32': torch.int32,
    'i64': torch.int64,
    'bool': torch.bool,
    'bf16': torch.bfloat16,
}
# In the order of gt_dtype, for attributes that hold one.
DTYPE_AT = [DTYPES[name] for name in ('f32', 'f64', 'i32', 'i64', 'bool', 'bf16')]


@dataclass
class Case:
    """One recording: what the library was given, and what it made of it."""
    name: str
    sample: int
    dtype: str
    attributes: bytes
    numbers: bytes
    operands: list = None  # keys into tensors['in']; None: all of them in order
    tensors: dict = field(default_factory=dict)  # role -> key -> tensor
    failed: str = None

    def role(self, role):
        return self.tensors.get(role, {})

    def attribute(self, layout):
        """The attributes as a C struct of that layout (see the module struct)."""
        return struct.unpack_from(layout, self.attributes)

    def reals(self):
        return struct.unpack(f'{len(self.numbers) // 8}d', self.numbers)

    def integers(self):
        return struct.unpack(f'{len(self.numbers) // 8}q', self.numbers)

    def named(self, role):
        """The tensors of a role under the last part of their names: "weight"."""
        return {key.split(':')[-1].split('/')[-1]: t for key, t in self.role(role).items()}

    def param(self, name):
        """The parameter whose name ends like this: "weight", "query/weight"."""
        found = [t for key, t in self.role('param').items() if ('/' + key.split(':')[-1]).endswith('/' + name)]
        assert len(found) == 1, f'{len(found)} parameters are called {name}'
        return found[0]


@dataclass
class Subject:
    kind: str
    name: str
    cases: list = field(default_factory=list)


def read_tensor(stream, words):
    role, key, dtype, *sizes = words
    shape = [int(size) for size in sizes]
    dtype = DTYPES[dtype]
    count = math.prod(shape)
    size = count * torch.empty(0, dtype=dtype).element_size()
    data = stream.read(size)
    if len(data) != size or stream.read(1) != b'\n':
        raise ValueError('the stream of cases ends early')
    tensor = torch.frombuffer(bytearray(data), dtype=dtype) if count else torch.empty(0, dtype=dtype)
    return role, key, tensor.reshape(shape)


def read(stream):
    """All subjects of a stream."""
    subjects = []
    for line in iter(stream.readline, b''):
        word, *words = line.decode().split()
        if word == 'end':
            return subjects
        if word == 'subject':
            subjects.append(Subject(*words))
        elif word == 'case':
            attributes, numbers = (bytes.fromhex(w) if w != '-' else b'' for w in words[2:])
            case = Case(subjects[-1].name, int(words[0]), words[1], attributes, numbers)
            subjects[-1].cases.append(case)
        elif word == 'tensor':
            role, key, tensor = read_tensor(stream, words)
            case.tensors.setdefault(role, {})[key] = tensor
        elif word == 'operands':
            case.operands = words
        elif word == 'failed':
            case.failed = ' '.join(words)
        else:
            raise ValueError(f'an unknown line in the stream of cases: {line[:80]}')
    raise ValueError('the stream of cases has no end: the program that writes it has failed')
