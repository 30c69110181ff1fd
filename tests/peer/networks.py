"""tests/peer/networks.py: the layers and losses of nn/ in PyTorch.

Operands come from left to right as in the expression of the result, which is not always the order of the
C function's parameters; parameters and buffers by name. Weights of the library are [inputs, outputs],
PyTorch's the transposes; of convolutions both are [outputs, inputs, ...].

Where PyTorch differs, and what is done about it:
  - cross_entropy has no gradient for class weights: that part is written out;
  - multi_margin_loss divides by the number of classes: multiplied again;
  - triplet_margin_loss adds 1e-6 to every difference: given a distance without it;
  - attention from which every key is hidden is NaN, here zeros: written out;
  - there are no categorical_cross_entropy, perceptron, contrastive loss, maxout, swiglu, rms_norm,
    stochastic depth, drop connect and positional encoding: written out.
"""
import math

import torch
from entries import by_sample, plain, with_arguments
from operations import nothing
from torch.nn import functional as F

# ---- layers ----


def linear(case, x, name=''):
    return F.linear(x, case.param(f'{name}weight').t(), case.param(f'{name}bias'))


def kept(case, which, rate, x):
    """x where the library's own random numbers keep it, scaled up."""
    u = case.role('random')[which]
    return torch.where(u >= rate, x / (1 - rate), torch.zeros((), dtype=x.dtype))


def dropout(*rates):
    return lambda case, x: kept(case, '0', rates[case.sample], x) if rates[case.sample] else x.clone()


def maxout(pieces):
    return lambda case, x: linear(case, x).unflatten(-1, (-1, pieces[case.sample])).amax(-1)


def swiglu(x, axis):
    a, b = x.chunk(2, axis)
    return F.silu(a) * b


def variants(options):
    """With bias and without."""
    return options, {**options, 'no_bias': True}


def convolution(function, *options):
    """options: of each sample."""

    def entry(case, x):
        o = dict(options[case.sample])
        bias = None if o.pop('no_bias', False) else case.param('bias')
        return function(x, case.param('weight'), bias, **o)

    return entry


def resize(mode):
    sizes = (4, 6), (5, 3), (2, 1), (3, 3)

    def entry(case, x):
        return F.interpolate(x, sizes[case.sample], mode=mode) if x.numel() else nothing(case, x)

    return entry


GATED = ((0, ), (-1, ), (1, ), (1, ))
LAYERS = {
    'linear': linear,
    'dropout': dropout(0.4, 0),
    'drop_connect': dropout(0.4, 0),
    'stochastic_depth': dropout(0.5, 0.25, 0),
    'maxout': maxout((3, 2, 1)),
    'glu': with_arguments(F.glu, *GATED),
    'swiglu': with_arguments(swiglu, *GATED),
    'conv2d_layer': convolution(F.conv2d, {'stride': (2, 1), 'padding': 1},
                                {'stride': (2, 1), 'padding': 1, 'groups': 2},
                                {'stride': (2, 1), 'padding': 1, 'no_bias': True}),
    'conv1d_layer': convolution(F.conv1d, *variants({'padding': 2, 'dilation': 2})),
    'conv_transpose2d_layer': convolution(F.conv_transpose2d,
                                          *variants({'stride': 2, 'output_padding': (1, 0), 'groups': 2})),
    'conv_transpose1d_layer': convolution(F.conv_transpose1d, {'stride': 3, 'padding': 1, 'output_padding': 2}),
    'upsample_nearest2d': resize('nearest'),
    'upsample_bilinear2d': resize('bilinear'),
    'residual': plain(lambda x, y: x + torch.tanh(y)),
}

# ---- normalization ----


def batch_norm(case, x):
    mean, variance = (case.named('buffer')[name].clone() for name in ('running_mean', 'running_variance'))
    training = case.sample < 2
    y = F.batch_norm(x, mean, variance, case.param('weight'), case.param('bias'), training, 0.1, 1e-5)
    case.after = {'running_mean': mean, 'running_variance': variance}
    if len(case.role('out')) == 1:
        return y
    spread, middle = torch.var_mean(x, [0] + list(range(2, x.dim())), unbiased=False)
    return y, middle, spread, torch.zeros_like(middle)


def layer_norm(case, x, name='', epsilon=1e-5):
    return F.layer_norm(x, x.shape[-1:], case.param(f'{name}weight'), case.param(f'{name}bias'), epsilon)


def rms_norm(case, x):
    epsilon = (1e-5, 1e-3)[case.sample]
    return x / (x.square().mean(-1, keepdim=True) + epsilon).sqrt() * case.param('weight')


def group_norm(case, x):
    return F.group_norm(x, (2, 2, 3, 1)[case.sample], case.param('weight'), case.param('bias'))


NORMALIZATION = {
    'batch_norm': batch_norm,
    'layer_norm': lambda case, x: layer_norm(case, x, epsilon=(1e-5, 1e-3, 1e-5, 1e-5)[case.sample]),
    'rms_norm': rms_norm,
    'group_norm': group_norm,
}

# ---- sequences ----


def weights_of(case):
    """As PyTorch's cells take them: transposed, with a second bias."""
    bias, more = case.named('param')['bias'], case.named('param').get('hidden_bias')
    second = torch.zeros_like(bias)
    if more is not None:
        second = torch.cat((second[:-len(more)], more)) if len(more) else second
    return case.param('input_weight').t(), case.param('hidden_weight').t(), bias, second


def step(kind, x, h, c, weights):
    if kind == 'lstm':
        return torch.lstm_cell(x, (h, c), *weights)
    return (torch.gru_cell if kind == 'gru' else torch.rnn_tanh_cell)(x, h, *weights), c


def run(kind, x, h, weights):
    """All states, and what a sample makes of the last ones. A layer over time is PyTorch's; where a size is
    0 it is refused there, and its cell is asked, step by step."""
    c = h
    if x.numel() and h.numel():
        layer = {'lstm': torch.lstm, 'gru': torch.gru, 'rnn': torch.rnn_tanh}[kind]
        begin = (h[None], c[None]) if kind == 'lstm' else h[None]
        y, *last = layer(x, begin, list(weights), True, 1, 0., False, False, True)
        return y, last[0][0] * last[1][0] if kind == 'lstm' else last[0][0]
    states = []
    for t in range(x.shape[1]):
        h, c = step(kind, x[:, t], h, c, weights)
        states.append(h)
    return torch.stack(states, 1) if states else x.new_zeros(x.shape[0], 0, h.shape[1]), h


def recurrent(kind):

    def entry(case, x, h=None):
        weights = weights_of(case)
        if h is None:
            h = x.new_zeros(x.shape[0], weights[1].shape[1])
        y, last = run(kind, x, h, weights)
        return torch.cat((y, last.square()[:, None]), 1) if case.sample == 2 else y

    return entry


def cell(kind):

    def once(x, h, weights):
        h, c = step(kind, x, h, h.flip((0, 1)), weights)
        return h * c if kind == 'lstm' else h

    def entry(case, x, h):
        for _ in range(case.sample + 1):
            h = once(x, h, weights_of(case))
        return h

    return entry


def positional_encoding(case):
    length, width = ((5, 6), (3, 5), (0, 4), (2, 0))[case.sample]
    y = torch.zeros(length, width, dtype=torch.float64)
    for t in range(length):
        for i in range(width):
            angle = t / 10000**((i - i % 2) / width)
            y[t, i] = math.cos(angle) if i % 2 else math.sin(angle)
    return y.to(torch.float32 if case.dtype == 'f32' else torch.float64)


def learned_positions(case, x):
    return x + (case.sample + 1) * case.param('weight')[:x.shape[-2]]


SEQUENCES = {
    'embedding': lambda case, index: F.embedding(index.long(), case.param('weight')),
    'rnn': recurrent('rnn'),
    'lstm': recurrent('lstm'),
    'gru': recurrent('gru'),
    'rnn_cell': cell('rnn'),
    'lstm_cell': cell('lstm'),
    'gru_cell': cell('gru'),
    'positional_encoding': positional_encoding,
    'learned_positions': learned_positions,
}

# ---- attention ----


def attention(q, k, v, mask=None):
    scores = q @ k.mT / (math.sqrt(q.shape[-1]) or 1)
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else scores + mask
    blind = (scores == -math.inf).all(-1, keepdim=True)
    return torch.softmax(scores.masked_fill(blind, 0), -1).masked_fill(blind, 0) @ v


def masked_first(mask, q, k, v):
    return attention(q, k, v, mask)


def causal(n):
    return torch.ones(n, n, dtype=torch.bool).tril()


def heads_of(case, x, heads, memory=None, hidden=None):
    """PyTorch's own, which has time before batch, and masks of what is hidden."""
    memory = x if memory is None else memory
    swap = (lambda t: t.transpose(0, 1)) if x.dim() == 3 else (lambda t: t)
    weight = {name: case.param(f'{name}/weight').t() for name in ('query', 'key', 'value', 'output')}
    bias = torch.cat([case.param(f'{name}/bias') for name in ('query', 'key', 'value')])
    y, _ = F.multi_head_attention_forward(
        swap(x), swap(memory), swap(memory), x.shape[-1], heads, None, bias, None, None, False, 0.,
        weight['output'], case.param('output/bias'), need_weights=False, attn_mask=hidden,
        use_separate_proj_weight=True, q_proj_weight=weight['query'], k_proj_weight=weight['key'],
        v_proj_weight=weight['value'])
    return swap(y)


def by_head(mask, heads):
    """[batch, 1, queries, keys] for each head of each image."""
    return mask.expand(-1, heads, -1, -1).flatten(0, 1)


def heads_padded(case, mask, x):
    return heads_of(case, x, 2, hidden=by_head(~(mask & causal(3)), 2))


def heads_added(case, mask, x):
    return heads_of(case, x, 2, hidden=mask.masked_fill(~causal(3), -math.inf))


def multi_head_attention(case, *x):
    if x[0].numel() == 0:
        return nothing(case, *x)
    return (lambda: heads_of(case, *x, 2),
            lambda: heads_of(case, *x, 4, hidden=~causal(3)),
            lambda: heads_of(case, *x, 1),
            lambda: heads_of(case, x[0], 2, memory=x[1]),
            lambda: heads_padded(case, *x),
            lambda: heads_added(case, *x))[case.sample]()


def transformer_block(case, x, mask=None):
    heads = (2, 1, 2)[case.sample]
    hidden = (None, ~causal(3), None if mask is None else by_head((~mask).expand(-1, -1, 3, -1), heads))[case.sample]
    drop = (lambda y, i: kept(case, i, 0.3, y)) if case.sample == 1 else (lambda y, i: y)
    x = x + drop(heads_of(case, layer_norm(case, x, 'norm1/'), heads, hidden=hidden), '0')
    y = F.gelu(linear(case, layer_norm(case, x, 'norm2/'), 'mlp1/'))
    return x + drop(linear(case, y, 'mlp2/'), '1')


ATTENTION = {
    'attention': by_sample(attention, attention, masked_first, masked_first, masked_first,
                           lambda mask, q, k: attention(q, k, k, mask), lambda q, k, v: q + attention(q, k, v),
                           attention, lambda q, v: attention(q, q, v)),
    'causal_mask': by_sample(lambda: causal(3), lambda: causal(0)),
    'multi_head_attention': multi_head_attention,
    'transformer_block': transformer_block,
}

# ---- penalties ----


def penalty(function):

    def entry(case):
        names = ('weight', ) if case.sample == 0 else ('weight', 'bias')
        return sum(function(case.param(name)).sum() for name in names)

    return entry


PENALTIES = {
    'l1': penalty(torch.abs),
    'l2': penalty(torch.square),
    'elastic_net': penalty(lambda w: 0.5 * w.square() + w.abs()),
}

# ---- losses ----


def rows(x):
    return x.reshape(-1, x.shape[-1]) if x.dim() else x


def of_labels(loss):
    """PyTorch has the classes in axis 1."""
    return plain(lambda logits, labels: loss(rows(logits), labels.long().flatten()))


def accuracy(logits, labels):
    return (logits.argmax(-1) == labels.long()).float().mean()


def weighted_cross_entropy(logits, labels, weight, smoothing):
    """PyTorch's, and the gradient that it has not: that of the weights, written out."""
    labels = labels.long()
    result = F.cross_entropy(logits, labels, weight.detach(), label_smoothing=smoothing)
    counted = labels != -100
    lost = -F.log_softmax(logits.detach()[counted], -1)
    own = weight[labels[counted]]
    each = (1 - smoothing) * own * lost.gather(1, labels[counted][:, None])[:, 0] + smoothing * (weight * lost).mean(-1)
    written_out = each.sum() / own.sum()
    return result + (written_out - written_out.detach())


def hinge(labels, scores, margin):
    return scores.shape[-1] * F.multi_margin_loss(rows(scores), labels.long().flatten(), margin=margin)


def triplet(anchor, same, other, margin):
    return F.triplet_margin_with_distance_loss(anchor, same, other, margin=margin,
                                               distance_function=lambda a, b: (a - b).norm(dim=-1))


def contrastive(alike, a, b, margin):
    d = (a - b).norm(dim=-1)
    return (alike * d**2 + (1 - alike) * F.relu(margin - d)**2).mean() / 2


def plain_cross_entropy(logits, labels):
    return F.cross_entropy(rows(logits), labels.long().flatten())


LOSSES = {
    'sum_squared_error': plain(lambda x, t: F.mse_loss(x, t, reduction='sum')),
    'mean_squared_error': plain(F.mse_loss),
    'mean_absolute_error': plain(F.l1_loss),
    'huber': lambda case, x, t: F.huber_loss(x, t, delta={4: 0.25, 5: 10}.get(case.sample, 1)),
    'gaussian_nll': plain(lambda log_variance, mean, t: F.gaussian_nll_loss(mean, t, log_variance.exp(), full=True)),
    'cross_entropy': plain(plain_cross_entropy),
    'cross_entropy_with': by_sample(
        plain_cross_entropy, plain_cross_entropy, None, None, None,
        lambda labels, logits, unused: F.cross_entropy(logits, labels.long(), label_smoothing=0.125),
        lambda labels, weight, logits: weighted_cross_entropy(logits, labels, weight, 0.125),
        lambda labels, weight, logits: weighted_cross_entropy(logits, labels, weight, 0)),
    'nll': of_labels(F.nll_loss),
    'accuracy': plain(accuracy),
    'hinge': with_arguments(hinge, (1, ), (1, ), None, None, None, (0.25, )),
    'soft_cross_entropy': plain(lambda t, logits: F.cross_entropy(rows(logits), rows(t))),
    'categorical_cross_entropy': plain(lambda t, p: -(t * p.log()).sum(-1).mean()),
    'kl_divergence': plain(lambda t, x: F.kl_div(rows(x), rows(t), reduction='batchmean')),
    'binary_cross_entropy': plain(lambda t, p: F.binary_cross_entropy(p, t)),
    'binary_cross_entropy_logits': plain(lambda t, x: F.binary_cross_entropy_with_logits(x, t)),
    'perceptron_loss': plain(lambda t, s: F.relu(-t * s).sum()),
    'cosine_loss': plain(lambda x, t: 1 - F.cosine_similarity(x, t, -1).mean()),
    'triplet_loss': with_arguments(triplet, (0.5, ), (8, )),
    'contrastive_loss': with_arguments(contrastive, (1, ), (6, )),
}

ENTRIES = {**LAYERS, **NORMALIZATION, **SEQUENCES, **ATTENTION, **PENALTIES, **LOSSES}
