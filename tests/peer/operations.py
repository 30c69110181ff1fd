"""tests/peer/operations.py: the operations of ops/ in PyTorch.

An operation's entry reads its attributes as the C struct at the head of its file has them; so it holds for
every sample, those that somebody adds later included. Compositions have one entry a sample, in the order
of the samples in their C file.

Where PyTorch differs, and what is done about it:
  - many layers refuse sizes of 0: see nothing;
  - indices are i64 only: i32 is widened;
  - topk leaves open which of equal elements wins: a stable sort is taken;
  - F.gelu loses its digits to cancellation in the left tail (3e-4 relative at -3.7 in f32): asked in f64;
  - F.hardsigmoid has 1/6 rounded to f32 in its f64 gradient: written out;
  - F.prelu has one slope a channel only, torch.gather equal sizes on the other axes: written out, widened;
  - paddings of more than half a pooling kernel are refused: padded by hand;
  - hypot, atan2, xlogy and pow agree away from 0, where samples lie.
"""
import math

import torch
from entries import by_sample, not_compared, plain, with_arguments
from stream import DTYPE_AT
from torch.nn import functional as F

# ---- element-wise: the rows of ops.def ----


def with_numbers(function):
    """A row with parameters p and q, which every recorded node has."""
    return lambda case, *x: function(*x, *case.reals())


def number(x, value):
    return torch.full((), value, dtype=x.dtype)


def hard_sigmoid(x):
    return F.relu6(x + 3) / 6


def gelu(approximate):
    return plain(lambda x: F.gelu(x.double(), approximate=approximate).to(x.dtype))


def prelu(x, slope):
    return torch.where(x > 0, x, slope * x)


def chain(a, b):
    return torch.where(a == 0, number(a, 0), a * b)


def step(x):  # torch.heaviside has no derivative
    return (x >= 0).to(x.dtype) + 0 * x


ROWS = {
    'neg': plain(torch.neg),
    'abs': plain(torch.abs),
    'sign': plain(torch.sign),
    'step': plain(step),
    'hardlims': plain(lambda x: 2 * step(x) - 1),
    'floor': plain(torch.floor),
    'ceil': plain(torch.ceil),
    'round': plain(torch.round),
    'clamp': with_numbers(torch.clamp),
    'add_scalar': with_numbers(lambda x, p, q: x + p),
    'mul_scalar': with_numbers(lambda x, p, q: x * p),
    'pow_scalar': with_numbers(lambda x, p, q: torch.pow(x, p)),
    'square': plain(torch.square),
    'sqrt': plain(torch.sqrt),
    'cbrt': plain(lambda x: torch.sign(x) * torch.abs(x).pow(1 / 3)),
    'rsqrt': plain(torch.rsqrt),
    'reciprocal': plain(torch.reciprocal),
    'exp': plain(torch.exp),
    'exp2': plain(torch.exp2),
    'expm1': plain(torch.expm1),
    'log': plain(torch.log),
    'log2': plain(torch.log2),
    'log10': plain(torch.log10),
    'log1p': plain(torch.log1p),
    'sin': plain(torch.sin),
    'cos': plain(torch.cos),
    'tan': plain(torch.tan),
    'asin': plain(torch.asin),
    'acos': plain(torch.acos),
    'atan': plain(torch.atan),
    'sinh': plain(torch.sinh),
    'cosh': plain(torch.cosh),
    'tanh': plain(torch.tanh),
    'sigmoid': plain(torch.sigmoid),
    'softplus': plain(F.softplus),
    'relu': plain(F.relu),
    'leaky_relu': with_numbers(lambda x, p, q: F.leaky_relu(x, p)),
    'identity': plain(torch.clone),
    'relu6': plain(F.relu6),
    'hard_sigmoid': plain(hard_sigmoid),
    'elu': with_numbers(lambda x, p, q: F.elu(x, p)),
    'celu': with_numbers(lambda x, p, q: F.celu(x, p)),
    'selu': plain(F.selu),
    'gelu': gelu('none'),
    'gelu_tanh': gelu('tanh'),
    'silu': plain(F.silu),
    'mish': plain(F.mish),
    'softsign': plain(F.softsign),
    'erf': plain(torch.erf),
    'erfc': plain(torch.erfc),
    'normal_cdf': plain(lambda x: torch.erfc(-x * math.sqrt(0.5)) / 2),
    'normal_pdf': plain(lambda x: torch.exp(-x * x / 2) / math.sqrt(2 * math.pi)),
    'add': plain(torch.add),
    'sub': plain(torch.sub),
    'mul': plain(torch.mul),
    'div': plain(torch.div),
    'pow': plain(torch.pow),
    'maximum': plain(torch.maximum),
    'minimum': plain(torch.minimum),
    'atan2': plain(torch.atan2),
    'hypot': plain(torch.hypot),
    'logaddexp': plain(torch.logaddexp),
    'prelu': plain(prelu),
    'xlogy': plain(torch.xlogy),
    'xlog1py': plain(torch.special.xlog1py),
    'chain': plain(chain),
    'equal': plain(torch.eq),
    'not_equal': plain(torch.ne),
    'less': plain(torch.lt),
    'less_equal': plain(torch.le),
    'greater': plain(torch.gt),
    'greater_equal': plain(torch.ge),
    'logical_not': plain(torch.logical_not),
    'logical_and': plain(torch.logical_and),
    'logical_or': plain(torch.logical_or),
    'logical_xor': plain(torch.logical_xor),
    'where': plain(torch.where),
}

# ---- making tensors ----


def made(case):
    """Shape and dtype: struct made of ops/create.c."""
    rank, *sizes, dtype = case.attribute('i4x8qi')
    return sizes[:rank], DTYPE_AT[dtype]


def full(case):
    shape, dtype = made(case)
    return torch.full(shape, case.reals()[0], dtype=torch.float64).to(dtype)


def arange(case):
    (count, ), dtype = made(case)
    start, by = case.reals()
    return (start + by * torch.arange(count, dtype=torch.float64)).to(dtype)


def linspace(case):
    (count, ), dtype = made(case)
    return torch.linspace(*case.reals(), count, dtype=dtype)


def eye(case):
    (n, _), dtype = made(case)
    return torch.eye(n, dtype=dtype)


def standardize(_y, _root, x, axes, centred=True):
    y = x - x.mean(axes, keepdim=True) if centred else x
    return y * torch.rsqrt((y * y).mean(axes, keepdim=True) + 1e-3)


OWN_GENERATOR = not_compared('PyTorch has another generator')
MAKING = {
    'full': full,
    'arange': arange,
    'linspace': linspace,
    'eye': eye,
    'rand': OWN_GENERATOR,
    'randn': OWN_GENERATOR,
    'cast': lambda case, x: x.to(DTYPE_AT[case.attribute('i')[0]]),
    'copy': plain(torch.clone),
    'stop_gradient': plain(torch.detach),
    # their gradients go to the last operand alone
    'share': with_arguments(lambda e, sums, x, axis: torch.softmax(x, axis), (0,), (1,)),
    'standardize': with_arguments(standardize, (-1,), (-1, False), ((0, 2),)),
    'assign': not_compared('an effect: the optimizers below run it'),
    'accumulate': plain(lambda *x: sum(x[1:], x[0].clone())),
}

# ---- reductions: struct gt__over of ops/reduce.h ----


def over(function):
    """function(x, axes, keepdims) with the axes that the call names, all of them as a tuple."""

    def entry(case, x):
        count, *axes, keepdims = case.attribute('9i?')
        return function(x, tuple(axes[:count]) if count >= 0 else tuple(range(x.dim())), keepdims)

    return entry


def by_last(function):
    """For functions of one axis: those that are folded made the last one."""

    def fold(x, axes, keepdims):
        folded = sorted(axis % x.dim() for axis in axes)
        kept = [axis for axis in range(x.dim()) if axis not in folded]
        y = function(x.permute(kept + folded).reshape([x.shape[a] for a in kept] + [-1 if x.numel() else
                     math.prod(x.shape[a] for a in folded)]))
        return y.reshape([1 if a in folded else n for a, n in enumerate(x.shape)]) if keepdims else y

    return over(fold)


def sum_over(x, axes, keepdims=False):
    if not axes:  # to PyTorch no axes are all axes
        return x.clone()
    return torch.sum(x, axes, keepdims)


def extreme(function):
    return over(lambda x, axes, keepdims: function(x, axes, keepdims) if axes else x.clone())


def winner(function):
    return over(lambda x, axes, keepdims: function(x, axes[0], keepdims))


REDUCTIONS = {
    'sum': over(sum_over),
    'prod': by_last(lambda x: torch.prod(x, -1)),
    'max': extreme(torch.amax),
    'min': extreme(torch.amin),
    'argmax': winner(torch.argmax),
    'argmin': winner(torch.argmin),
    'any': by_last(lambda x: torch.any(x, -1)),
    'all': by_last(lambda x: torch.all(x, -1)),
}


def ordered(case, x):
    count, axis, descending = case.attribute('qii')
    count = x.shape[axis] if count < 0 else count
    value, index = torch.sort(x, dim=axis, descending=bool(descending), stable=True)
    return value.narrow(axis, 0, count), index.narrow(axis, 0, count)


ORDERS = {
    'cumsum': lambda case, x: torch.cumsum(x, case.attribute('i')[0]),
    'sort': lambda case, x: ordered(case, x),
    'topk': lambda case, x: ordered(case, x),
}

# ---- shapes ----


def axes_of(case, rank):
    count, *axes = case.attribute('9i')
    return axes[:count] if count >= 0 else list(range(rank))


def shape_of(case):
    rank, *sizes = case.attribute('i4x8q')
    return sizes[:rank]


def cut_positions(case):
    """struct cut of ops/shape_views.c, and where the elements are."""
    by, size, axis = case.attribute('3q')
    return axis, size, case.integers()[0] + by * torch.arange(size)


def slice_of(case, x):
    axis, _, positions = cut_positions(case)
    return x.index_select(axis, positions)


def place(case, x):
    by, size, axis = case.attribute('3q')
    positions = case.integers()[0] + by * torch.arange(x.shape[axis])
    shape = list(x.shape)
    shape[axis] = size
    return torch.zeros(shape, dtype=x.dtype).index_add(axis, positions, x)


def pad(case, x):
    layout = case.attribute('i4x8qi4x8q')
    before, after = layout[1:9], layout[10:18]
    by_axis = [(before[d], after[d]) for d in reversed(range(x.dim()))]
    value = case.reals()[0]
    return F.pad(x, [n for pair in by_axis for n in pair], value=value if x.is_floating_point() else int(value))


SHAPES = {
    'reshape': lambda case, x: x.reshape(shape_of(case)),
    'permute': lambda case, x: x.permute(axes_of(case, x.dim())),
    'slice': slice_of,
    'place': place,
    'flip': lambda case, x: x.flip(axes_of(case, x.dim())),
    'expand': lambda case, x: x.expand(shape_of(case)),
    'concat': lambda case, *x: torch.cat(x, case.attribute('i')[0]),
    'stack': lambda case, *x: torch.stack(x, case.attribute('i')[0]),
    'pad': pad,
    'tril': lambda case, x: torch.tril(x, case.attribute('i')[0]),
    'triu': lambda case, x: torch.triu(x, case.attribute('i')[0]),
}

# ---- indexing ----


def gather(case, x, index):
    axis = case.attribute('i')[0] % x.dim()
    taken = x.index_select(axis, index.long().reshape(-1))
    return taken.reshape(x.shape[:axis] + index.shape + x.shape[axis + 1:])


def add_at(x, axis, index, source):
    """x plus slices of source; the axes of index stand in the place of axis."""
    flat = source.flatten(axis, axis + index.dim() - 1) if index.dim() else source.unsqueeze(axis)
    return x.index_add(axis, index.long().reshape(-1), flat)


def scatter(case, source, index):
    axis, n = case.attribute('2q')
    shape = source.shape[:axis] + (n, ) + source.shape[axis + index.dim():]
    return add_at(torch.zeros(shape, dtype=source.dtype), axis, index, source)


def along(x, index, axis):
    shape = [index.shape[d] if d == axis % x.dim() else max(x.shape[d], index.shape[d]) if x.shape[d] and
             index.shape[d] else 0 for d in range(x.dim())]
    wide = [x.shape[d] if d == axis % x.dim() else n for d, n in enumerate(shape)]
    return x.expand(wide), index.long().expand(shape)


def take_along_axis(case, x, index):
    axis = case.attribute('i')[0]
    wide, index = along(x, index, axis)
    return torch.gather(wide, axis, index)


def scatter_along_axis(case, source, index):
    axis, n = case.attribute('2q')
    shape = list(source.shape)
    shape[axis] = n
    return torch.zeros(shape, dtype=source.dtype).scatter_add(axis, index.long().expand(source.shape), source)


def one_hot(case, index):
    classes, dtype = case.attribute('2q')
    return (index.long().unsqueeze(-1) == torch.arange(classes)).to(DTYPE_AT[dtype])


INDEXING = {
    'gather': gather,
    'scatter': scatter,
    'scatter_add': lambda case, x, index, source: add_at(x, case.attribute('i')[0] % x.dim(), index, source),
    'take_along_axis': take_along_axis,
    'scatter_along_axis': scatter_along_axis,
    'one_hot': one_hot,
}

# ---- products, convolutions: struct setting of ops/conv.c ----


def matmul(x, y):
    if x.dtype == torch.bfloat16:  # sums and result in f32
        return x.float() @ y.float()
    return x @ y


def conv_setting(case):
    """One axis is the second of two."""
    axes, *n, groups, rows, columns = case.attribute('10q')
    first = 2 - axes
    return axes, n[first:2], n[2 + first:4], n[4 + first:6], groups, [rows, columns][first:]


def nothing(case, *x):
    """Where PyTorch refuses a size of 0: sums and means of nothing, and gradients of zeros."""
    zero = 0 * sum(operand.sum() for operand in x)
    made = tuple(torch.zeros(y.shape, dtype=x[0].dtype) + zero for y in case.role('out').values())
    return made if len(made) > 1 else made[0]


def or_nothing(function):
    return lambda case, *x: function(case, *x) if all(operand.numel() for operand in x) else nothing(case, *x)


def conv(case, x, w):
    axes, stride, padding, dilation, groups, _ = conv_setting(case)
    return (F.conv1d, F.conv2d)[axes - 1](x, w, None, stride, padding, dilation, groups)


def conv_input(case, y, w):
    axes, stride, padding, dilation, groups, size = conv_setting(case)
    fewest = [(y.shape[2 + d] - 1) * stride[d] - 2 * padding[d] + dilation[d] * (w.shape[2 + d] - 1) + 1
              for d in range(axes)]
    more = [size[d] - fewest[d] for d in range(axes)]
    transposed = (F.conv_transpose1d, F.conv_transpose2d)[axes - 1]
    return transposed(y, w, None, stride, padding, more, groups, dilation)


def conv_weight(case, x, y):
    axes, stride, padding, dilation, groups, size = conv_setting(case)
    shape = [y.shape[1], x.shape[1] // groups] + list(size)
    if axes == 1:  # unfold knows images only
        x, y = x.unsqueeze(2), y.unsqueeze(2)
        stride, padding, dilation, size = [1] + stride, [0] + padding, [1] + dilation, [1] + list(size)
    met = F.unfold(x, size, dilation, padding, stride).unflatten(1, (groups, -1))
    y = y.flatten(2).unflatten(1, (groups, -1))
    return torch.einsum('ngkl,ngol->gok', met, y).reshape(shape)


PRODUCTS = {
    'matmul': plain(matmul),
    'conv': or_nothing(conv),
    'conv_input': or_nothing(conv_input),
    'conv_weight': or_nothing(conv_weight),
}

# ---- pooling: struct setting of ops/pooling.c ----


def pool_setting(case):
    rule, *n = case.attribute('12q')
    return rule, n[0:2], n[2:4], n[4:6], n[6:8], bool(n[8]), n[9:11]


def pad_image(x, padding, value):
    return F.pad(x, (padding[1], padding[1], padding[0], padding[0]), value=value)


def max_pool(case, x):
    _, kernel, stride, padding, made_windows, _, _ = pool_setting(case)
    if case.attribute('q')[0] == 1:  # SHARES
        return F.adaptive_max_pool2d(x, made_windows, return_indices=True)
    y, index = F.max_pool2d(pad_image(x, padding, -math.inf), kernel, stride, return_indices=True)
    width = x.shape[3] + 2 * padding[1]
    row, column = index // width - padding[0], index % width - padding[1]
    return y, row * x.shape[3] + column


def avg_pool_of(case, x):
    _, kernel, stride, padding, made_windows, counts, _ = pool_setting(case)
    if case.attribute('q')[0] == 1:  # SHARES
        return F.adaptive_avg_pool2d(x, made_windows)
    y = F.avg_pool2d(pad_image(x, padding, 0), kernel, stride)
    return y if counts else y / F.avg_pool2d(pad_image(torch.ones_like(x), padding, 0), kernel, stride)


def avg_pool_input(case, g):
    """The transpose of avg_pool, as its gradient."""
    size = pool_setting(case)[-1]
    x = torch.zeros(list(g.shape[:2]) + size, dtype=g.dtype, requires_grad=True)
    return torch.autograd.grad(avg_pool_of(case, x), x, g, create_graph=True)[0]


def pool1d(function, *options):
    """The samples of max_pool1d and avg_pool1d; options: of their second and third."""
    options = options or ({}, {})
    return by_sample(lambda x: function(x, 2), lambda x: function(x, 3, 2, 1, **options[0]),
                     lambda x: function(x, 3, 2, 1, **options[1]), lambda x: x[:, :, :2])


def at_places(x, index):
    return torch.gather(x.flatten(2), 2, index.flatten(2)).reshape(index.shape)


def max_unpool(case, x, index):
    """Adds where places repeat, which F.max_unpool2d does not."""
    size = pool_setting(case)[-1]
    plane = torch.zeros(list(x.shape[:2]) + [size[0] * size[1]], dtype=x.dtype)
    return plane.scatter_add(2, index.flatten(2), x.flatten(2)).reshape(list(x.shape[:2]) + size)


def fractional_max_pool(case, x):
    """PyTorch draws other windows; so what it has at the places that the library found."""
    index = case.role('out')['1']
    return at_places(x, index), index


POOLING = {
    'max_pool': max_pool,
    'fractional_max_pool': fractional_max_pool,
    'max_unpool': max_unpool,
    'max_pool_take': plain(at_places),
    'avg_pool': or_nothing(avg_pool_of),
    'avg_pool_input': or_nothing(avg_pool_input),
}

# ---- batch normalization: the attribute is epsilon ----


def channel_norm(case, x, weight, bias):
    variance, mean = torch.var_mean(x, [0] + list(range(2, x.dim())), unbiased=False)
    epsilon, = case.attribute('d')
    return F.batch_norm(x, None, None, weight, bias, True, 0, epsilon), mean, variance, torch.zeros_like(mean)


def channel_norm_gradient(case, x, weight, g, mean, variance, rest):
    """Batch norm's own gradient is compared with PyTorch's; this is the same of any mean and variance."""
    axes, shape = [0] + list(range(2, x.dim())), [1, -1] + [1] * (x.dim() - 2)
    epsilon, = case.attribute('d')
    r = torch.rsqrt(variance.view(shape) + epsilon)
    z = (x - mean.view(shape) - rest.view(shape)) * r
    met = (g * z).mean(axes, keepdim=True)
    gx = weight.view(shape) * r * (g - g.mean(axes, keepdim=True) - z * met)
    return gx, (g * z).sum(axes), g.sum(axes)


NORMS = {
    'channel_norm': or_nothing(channel_norm),
    'channel_norm_gradient': or_nothing(channel_norm_gradient),
}

# ---- compositions, sample by sample ----


def einsum(*formulas):
    """Letters of the library's formulas may be spaced; those without operands letters are scalars."""
    return by_sample(*(lambda *x, f=formula: torch.einsum(f.replace(' ', ''), *x) for formula in formulas))


def sum_to(x, *shape):
    return x.sum_to_size(shape) if x.shape != shape else x.clone()


def mean(x, axes=None, keepdims=False):
    return torch.mean(x, tuple(range(x.dim())) if axes is None else axes, keepdims)


def var(x, axes, correction, keepdims=False):
    return torch.var(x, tuple(range(x.dim())) if axes is None else axes, correction=correction, keepdim=keepdims)


def std(x, *arguments):
    return var(x, *arguments).sqrt()


def norm(x, axes=None, keepdims=False):
    return torch.linalg.vector_norm(x, 2, axes, keepdims)


def logsumexp(x, axes=None, keepdims=False):
    return torch.logsumexp(x, tuple(range(x.dim())) if axes is None else axes, keepdims)


def split(x, axis, *sizes):
    part = torch.split(x, sizes, axis)
    return torch.cat((part[2], part[0].square(), part[1]), axis)


SHARES = ((0, ), (0, ), (-1, ), (1, ), (1, ), (0, ), (1, ), (1, ), (1, ))

COMPOSITIONS = {
    'einsum': einsum('ij,jk->ik', 'ij,jk', 'bij,bjk->bik', 'ii->i', 'ii', 'iji->ji', 'iii->i', 'iijj->ij', 'ij->ji',
                     'ij->', 'b a', 'i,j->ij', 'i,i->', 'ijk,k', 'ij,ij->', 'ij,ij->ji', 'bhqd,bhkd->bhqk',
                     'ijkl,lmjn->kmni', 'ij,jk,kl->il', 'bn,anm,bm->ba', 'ii,ij,Zj->Z', 'a,b,c,d->dbca', ',ij,->j',
                     'ij,jk->ik', 'ii->i'),
    'split': by_sample(lambda x: split(x, 1, 2, 2, 2), lambda x: split(x, -1, 1, 3, 2), lambda x: split(x, 1, 6, 0, 0),
                       lambda x: split(x.t(), 0, 2, 2, 2)),
    'dot': plain(torch.dot),
    'outer': plain(torch.outer),
    'sum_to': with_arguments(sum_to, (4, ), (3, 1), (1, 1), (), (3, ), (1, 3), (3, )),
    'mean': with_arguments(mean, (), (0, ), ((1, -1), True), (), (-1, ), (1, )),
    'var': with_arguments(var, (None, 0), (0, 1), ((1, -1), 1, True), (None, 0), (-1, 0)),
    'std': with_arguments(std, (None, 0), (0, 1), ((1, -1), 1, True), (-1, 0)),
    'norm': with_arguments(norm, (), (-1, ), ((1, 2), True), (), (), (1, )),
    'max_pool1d': pool1d(F.max_pool1d),
    'avg_pool1d': pool1d(F.avg_pool1d, {'count_include_pad': False}, {'count_include_pad': True}),
    'adaptive_max_pool1d': with_arguments(F.adaptive_max_pool1d, (3, ), (5, )),
    'adaptive_avg_pool1d': with_arguments(F.adaptive_avg_pool1d, (3, ), (5, )),
    'global_avg_pool': plain(lambda x: x.flatten(2).mean(2)),
    'squeeze': by_sample(lambda x: x.squeeze(), lambda x: x.squeeze(-1), lambda x: x.squeeze(0),
                         lambda x: x.squeeze(), lambda x: x.transpose(-1, -2).squeeze(-1)),
    'unsqueeze': by_sample(lambda x: x.unsqueeze(1), lambda x: x.unsqueeze(-1), lambda x: x.unsqueeze(0),
                           lambda x: x.t().unsqueeze(0)),
    'flatten': by_sample(lambda x: x.flatten(1, -1), lambda x: x.flatten(1, 2), lambda x: x.flatten(0, -1),
                         lambda x: x.t().flatten(0, 1)),
    'select': by_sample(lambda x: x[1], lambda x: x[:, -1], lambda x: x[2], lambda x: x[0],
                        lambda x: x.prod(0)),
    'transpose': by_sample(lambda x: x.transpose(0, -1), lambda x: x.transpose(1, 1), lambda x: x.mT,
                           lambda x: x.mT),
    'logsumexp': with_arguments(logsumexp, (), (0, ), ((1, -1), True), (), (-1, ), (), (1, ), (1, )),
    'softmax': with_arguments(torch.softmax, *SHARES),
    'log_softmax': with_arguments(torch.log_softmax, *SHARES),
}

ENTRIES = {
    **ROWS,
    **MAKING,
    **REDUCTIONS,
    **ORDERS,
    **SHAPES,
    **INDEXING,
    **PRODUCTS,
    **POOLING,
    **NORMS,
    **COMPOSITIONS,
}
