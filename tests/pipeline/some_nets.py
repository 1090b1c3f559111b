"""Small nets of fifteen kinds, as people build them: {kind: (function that makes one, an input for it)}."""

import torch
from torch import nn
from torch.nn import functional as F


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.a, self.b = (nn.Conv2d(i, 8, 3, padding=1) for i in (3, 8, 8))
        self.norm, self.head = nn.BatchNorm2d(8), nn.Linear(8, 5)

    def forward(self, x):
        x = self.stem(x)
        x = x + self.norm(self.b(torch.relu(self.a(x))))
        return self.head(x.mean((2, 3)))


class Dense(nn.Module):
    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(3 + 4 * i, 4, 3, padding=1) for i in range(3))
        self.head = nn.Linear(15, 5)

    def forward(self, x):
        for conv in self.convs:
            x = torch.cat([x, torch.relu(conv(x))], 1)
        return self.head(x.mean((2, 3)))


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.middle = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 8, 3, padding=1)
        self.up, self.out = nn.ConvTranspose2d(8, 6, 2, stride=2), nn.Conv2d(12, 2, 1)

    def forward(self, x):
        skip = torch.relu(self.down(x))
        x = torch.relu(self.middle(F.max_pool2d(skip, 2)))
        return self.out(torch.cat([self.up(x), skip], 1))


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.rnn, self.head = kind(6, 10, num_layers=2, batch_first=True, bidirectional=True), nn.Linear(20, 4)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])


class TiedEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(30, 16)
        layer = nn.TransformerEncoderLayer(16, 2, 24, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(16, 30)
        self.head.weight = self.words.weight

    def forward(self, x):
        return self.head(self.encoder(self.words(x)))


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.wide, self.back = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x, mask=None):
        y = self.first(x)
        x = x + self.attention(y, y, y, attn_mask=mask, need_weights=False)[0]
        return x + self.back(F.gelu(self.wide(self.second(x))))


class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.places = nn.Embedding(30, 16), nn.Embedding(12, 16)
        self.blocks, self.norm = nn.ModuleList(Block(16) for _ in range(2)), nn.LayerNorm(16)
        self.head = nn.Linear(16, 30, bias=False)
        self.head.weight = self.words.weight
        self.register_buffer("mask", torch.full((12, 12), float("-inf")).triu(1))

    def forward(self, x):
        n = x.shape[1]
        x = self.words(x) + self.places.weight[:n]
        for block in self.blocks:
            x = block(x, self.mask[:n, :n])
        return self.head(self.norm(x))


class Vit(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 4, stride=4)
        self.token, self.places = nn.Parameter(torch.randn(1, 1, 16)), nn.Parameter(torch.randn(1, 10, 16))
        self.block, self.head = Block(16), nn.Linear(16, 5)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.places
        return self.head(self.block(x)[:, 0])


class Buffers(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(3, affine=False)
        self.register_buffer("table", torch.arange(7))
        self.register_buffer("scratch", torch.zeros(3), persistent=False)

    def forward(self, x):
        return self.norm(x) * self.table.sum()


def pictures():
    return torch.randn(2, 3, 12, 12)


def sequential(*layers):
    return lambda: nn.Sequential(*(layer() for layer in layers))


def flat(kind, *arguments, **options):
    return lambda: kind(*arguments, **options)


NETS = {
    "MLP": (
        sequential(flat(nn.Linear, 20, 30), nn.ReLU, flat(nn.Dropout, 0.5), flat(nn.Linear, 30, 5)),
        lambda: torch.randn(4, 20),
    ),
    "CNN with batch normalisation": (
        sequential(
            flat(nn.Conv2d, 3, 8, 3, bias=False),
            flat(nn.BatchNorm2d, 8),
            nn.ReLU,
            flat(nn.Conv2d, 8, 6, 3),
            flat(nn.BatchNorm2d, 6),
            nn.Flatten,
            flat(nn.Linear, 384, 5),
        ),
        pictures,
    ),
    "depthwise and separable": (
        sequential(
            flat(nn.Conv2d, 3, 8, 3),
            flat(nn.Conv2d, 8, 8, 3, groups=8),
            flat(nn.Conv2d, 8, 12, 1),
            nn.Hardswish,
            nn.Flatten,
            flat(nn.Linear, 768, 5),
        ),
        pictures,
    ),
    "residual": (Residual, pictures),
    "concatenation": (Dense, pictures),
    "U-Net": (UNet, pictures),
    "LSTM": (lambda: Recurrent(nn.LSTM), lambda: torch.randn(3, 7, 6)),
    "GRU": (lambda: Recurrent(nn.GRU), lambda: torch.randn(3, 7, 6)),
    "tied encoder": (TiedEncoder, lambda: torch.randint(30, (2, 9))),
    "GPT": (Gpt, lambda: torch.randint(30, (2, 9))),
    "ViT": (Vit, pictures),
    "Conv1d": (
        sequential(flat(nn.Conv1d, 2, 8, 5), nn.ReLU, flat(nn.Conv1d, 8, 4, 3, groups=2)),
        lambda: torch.randn(2, 2, 20),
    ),
    "Conv3d": (
        sequential(flat(nn.Conv3d, 2, 6, 3), flat(nn.GroupNorm, 2, 6), flat(nn.Conv3d, 6, 3, 2)),
        lambda: torch.randn(2, 2, 6, 6, 6),
    ),
    "ConvTranspose": (
        sequential(flat(nn.ConvTranspose2d, 4, 6, 3, stride=2), flat(nn.PReLU, 6), flat(nn.ConvTranspose2d, 6, 2, 2)),
        lambda: torch.randn(2, 4, 5, 5),
    ),
    "buffers only": (Buffers, pictures),
}


def build(kind, seed=0):
    """(A net of a kind with statistics that are not the initial ones, in evaluation mode, and an input)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        make, given = NETS[kind]
        net, x = make(), given()
        net.train()
        with torch.no_grad():
            net(x)
        return net.eval(), x


def matrices(net):
    """Keys of all tensors of floats with two dimensions or more that are parameters, tied ones once."""
    return [name for name, value in net.named_parameters() if value.dim() > 1 and value.is_floating_point()]
