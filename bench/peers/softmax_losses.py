"""Cross-entropy over the item catalogue for the peer, in the ways PyTorch offers: whole, in tiles, fused, sampled.

Letters: N predictions, D width, V items. u (N, D) and items (V, D) are float32; targets (N) int64 in [0, V). Each gives the
mean over N, natural log. Under autocast the products are of its type. `sasrec.py --check` holds them together.
"""
import math

import torch
from torch.nn import functional

TILE_ROWS = 512  # a tile's logits stay in the caches


def full(u, items, targets):
    """All (N, V) logits at once."""
    return functional.cross_entropy(functional.linear(u, items), targets)


def full_float32(u, items, targets):
    """The same, logits as float32 before the softmax whatever the type of the product."""
    return functional.cross_entropy(functional.linear(u, items).float(), targets)


class TiledCrossEntropy(torch.autograd.Function):
    """The gradient is computed with the value, a tile of rows at a time, so that all logits never exist at once."""

    @staticmethod
    def forward(context, u, items, targets, product_type):
        u_cast, items_cast = u.to(product_type), items.to(product_type)
        gradient_u, gradient_items = torch.empty_like(u_cast), torch.zeros_like(items)
        loss = torch.zeros(())
        for start in range(0, len(u), TILE_ROWS):
            tile, target = u_cast[start:start + TILE_ROWS], targets[start:start + TILE_ROWS, None]
            log_probability = torch.log_softmax((tile @ items_cast.t()).float(), 1)
            loss -= log_probability.gather(1, target).sum()
            gradient = log_probability.exp_()
            gradient.scatter_add_(1, target, torch.full(target.shape, -1.0))
            gradient = gradient.to(product_type)
            torch.mm(gradient, items_cast, out=gradient_u[start:start + TILE_ROWS])
            gradient_items += gradient.t() @ tile
        context.save_for_backward(gradient_u, gradient_items)
        context.count = max(1, len(u))
        return loss / context.count

    @staticmethod
    def backward(context, outer):
        gradient_u, gradient_items = context.saved_tensors
        scale = outer / context.count
        return gradient_u.float() * scale, gradient_items * scale, None, None


def chunked(u, items, targets):
    product_type = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32
    with torch.autocast("cpu", enabled=False):
        return TiledCrossEntropy.apply(u, items, targets, product_type)


def native(u, items, targets):
    """PyTorch's own fused form, in versions that have it."""
    return functional.linear_cross_entropy(u, items, targets, options=torch.nn.LinearCrossEntropyOptions())


def sampled(u, items, targets, negatives):
    """The target against `negatives` items drawn uniformly, shared by all rows; each stands for V / negatives."""
    drawn = torch.randint(len(items), (negatives,))
    right = (u * functional.embedding(targets, items)).sum(1, keepdim=True)
    wrong = functional.linear(u, functional.embedding(drawn, items)) + math.log(len(items) / negatives)
    wrong = wrong.masked_fill(drawn == targets[:, None], -math.inf)
    logits = torch.cat([right.float(), wrong.float()], 1)
    return (torch.logsumexp(logits, 1) - right.squeeze(1)).mean()


LOSSES = {"full": full, "full-float32": full_float32, "chunked": chunked}
if hasattr(functional, "linear_cross_entropy") and hasattr(torch.nn, "LinearCrossEntropyOptions"):
    LOSSES["native"] = native
