"""How many tokens a second does a SASRec in PyTorch train on, at the shape of this project's Transformer?

python3 bench/peers/sasrec.py SEQUENCES [OPTIONS]: trains for a stated time after a warm-up and prints one JSON line; --check
first compares losses and layouts with each other. Written from the description in Kang and McAuley, "Self-Attentive
Sequential Recommendation" (ICDM 2018): a causal Transformer over a user's items whose output, times the item table, scores
the next item. As in this project: pre-norm, feed-forward 4 D with GELU, softmax over all items instead of one negative,
no dropout inside attention (so that the fused kernel applies). Needs PyTorch 2: bench/peers/README.md.
Letters: B rows, T positions, D width, H heads, N predictions, V items.
"""
import argparse
import json
import math
import os
import time

import torch
from torch import nn
from torch.nn import functional

import softmax_losses
from sequence_batches import NO_TARGET, BatchMaker, Histories, read_histories


class Block(nn.Module):
    def __init__(self, width, heads, dropout, activation):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.activation = functional.gelu if activation == "gelu" else functional.relu
        self.attention_norm, self.feed_forward_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_key_value, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def attention(self, x, mask):
        B, T, D = x.shape
        heads = self.query_key_value(x).view(B, T, 3, self.heads, D // self.heads)
        query, key, value = heads.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=mask is None)
        return self.out(mixed.transpose(1, 2).reshape(B, T, D))

    def drop(self, x):
        return functional.dropout(x, self.dropout, self.training)

    def forward(self, x, mask):
        x = x + self.drop(self.attention(self.attention_norm(x), mask))
        return x + self.drop(self.down(self.activation(self.up(self.feed_forward_norm(x)))))


class SasRec(nn.Module):
    def __init__(self, items, length, width, layers, heads, dropout, activation):
        super().__init__()
        self.items = nn.Embedding(items, width)
        self.positions = nn.Embedding(length, width)
        for table in (self.items, self.positions):
            nn.init.normal_(table.weight, std=0.02)
        self.blocks = nn.ModuleList(Block(width, heads, dropout, activation) for _ in range(layers))
        self.final_norm = nn.LayerNorm(width)
        self.dropout = dropout

    def forward(self, items, positions=None, segments=None):
        """(B, T, D). Padding is at the end of a row, where causal attention never looks from a real token."""
        T = items.shape[1]
        places = self.positions.weight[:T] if positions is None else self.positions(positions)
        x = self.items(items) * math.sqrt(self.items.embedding_dim) + places
        x = functional.dropout(x, self.dropout, self.training)
        mask = None
        if segments is not None:
            causal = torch.ones(T, T, dtype=torch.bool).tril()
            mask = ((segments[:, :, None] == segments[:, None, :]) & causal)[:, None]
        for block in self.blocks:
            x = block(x, mask)
        return self.final_norm(x)


class Trainer:
    def __init__(self, model, options):
        self.model, self.options = model, options
        self.trunk = torch.compile(model, dynamic=options.layout == "bucketed") if options.compile else model
        loss = softmax_losses.LOSSES[options.loss]
        if options.sampled:
            def loss(u, items, targets):
                return softmax_losses.sampled(u, items, targets, options.sampled)
        compiles = options.compile and (options.sampled or options.loss.startswith("full"))
        self.loss_function = torch.compile(loss, dynamic=True) if compiles else loss
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=options.learning_rate, weight_decay=0.01, fused=True)

    def loss(self, batch):
        """Only positions that predict reach the item table: the logits are most of the work."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.options.precision == "bfloat16"):
            h = self.trunk(batch.items, batch.positions, batch.segments)
            rows = (batch.targets.view(-1) != NO_TARGET).nonzero().squeeze(1)
            u = h.view(-1, h.shape[-1]).index_select(0, rows).float()
            targets = batch.targets.view(-1).index_select(0, rows)
            return self.loss_function(u, self.model.items.weight, targets)

    def step(self, batch):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(batch)
        loss.backward()
        self.optimizer.step()
        return loss.item()


def train(trainer, batches, options):
    """Steps that are not counted, then steps until the time or their number is reached."""
    stream, started = iter(batches), time.monotonic()
    for _ in range(options.warm_up_steps):
        trainer.step(next(stream))
    begun, cpu_begun = time.monotonic(), time.process_time()
    tokens, positions, losses = 0, 0, []
    while (len(losses) < options.steps) if options.steps else (time.monotonic() - begun < options.seconds):
        batch = next(stream)
        losses.append(trainer.step(batch))
        tokens += batch.tokens
        positions += batch.items.numel()
    seconds, cpu_seconds = time.monotonic() - begun, time.process_time() - cpu_begun
    last = losses[-max(1, len(losses) // 10):]
    return {"tokens_per_second": round(tokens / seconds), "padded_positions_per_second": round(positions / seconds),
            "loss_first": round(losses[0], 4), "loss_last_tenth": round(sum(last) / len(last), 4), "steps": len(losses),
            "tokens": tokens, "seconds": round(seconds, 2), "cores_had": round(cpu_seconds / seconds, 2),
            "warm_up_seconds": round(begun - started, 2)}


@torch.no_grad()
def ndcg_at_10(model, histories, users, length):
    """Of the second last item (validation), ranked among all items that the user has not had before."""
    model.eval()
    total, count = 0.0, 0
    for history in histories.users[:users]:
        if len(history) <= 2:
            continue
        read, wanted = torch.from_numpy(Histories.training_part(history)), int(history[-2])
        scores = model(read[None, -length:])[0, -1] @ model.items.weight.t()
        better = scores > scores[wanted]
        better[read] = False
        rank = int(better.sum())
        total += 1 / math.log2(2 + rank) if rank < 10 else 0
        count += 1
    model.train()
    return total / max(1, count)


def check(histories):
    """Each way of computing the same gives the same: losses with their gradients, layouts, and no look ahead."""
    torch.manual_seed(1)
    u, items = torch.randn(1300, 16, requires_grad=True), torch.randn(97, 16, requires_grad=True)
    targets = torch.randint(97, (1300,))
    reference = softmax_losses.full(u, items, targets)
    wanted = torch.autograd.grad(reference, [u, items])
    for name, function in softmax_losses.LOSSES.items():
        loss = function(u, items, targets)
        torch.testing.assert_close(loss, reference, msg=f"{name}: another loss")
        torch.testing.assert_close(torch.autograd.grad(loss, [u, items]), wanted, rtol=1e-4, atol=1e-7)
    few = Histories(histories.users[:150], histories.items)
    model = SasRec(few.items, 50, 16, 2, 2, 0.0, "gelu")
    means = {}
    for layout in ("padded", "bucketed", "packed"):
        maker = BatchMaker(few, 50, 8, layout, seed=3)
        total = sum_of_losses(model, map(maker.make, maker.in_batches(maker.epoch_rows())))
        means[layout] = total / int(maker.tokens.sum())
    if max(means.values()) - min(means.values()) > 1e-5:
        raise SystemExit(f"the layouts differ in the loss of the same users: {means}")
    read = torch.randint(few.items, (1, 50))
    changed = read.clone()
    changed[0, 30:] = 1
    torch.testing.assert_close(model(read)[0, :30], model(changed)[0, :30])


@torch.no_grad()
def sum_of_losses(model, batches):
    total = 0.0
    for batch in batches:
        logits = model(batch.items, batch.positions, batch.segments) @ model.items.weight.t()
        if int((batch.targets != NO_TARGET).sum()) != batch.tokens:
            raise SystemExit("the tokens of a batch are miscounted")
        total += float(functional.cross_entropy(logits.flatten(0, 1), batch.targets.flatten(), ignore_index=NO_TARGET,
                                                reduction="sum"))
    return total


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sequences", help="`user item item ...` a line, plain or .gz")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="bfloat16", help="bfloat16 by autocast")
    parser.add_argument("--batch", type=int, default=64, help="rows of a batch")
    parser.add_argument("--layout", choices=["padded", "bucketed", "packed"], default="padded")
    parser.add_argument("--bucket", dest="layout", action="store_const", const="bucketed", help="same as --layout bucketed")
    parser.add_argument("--pack", dest="layout", action="store_const", const="packed", help="same as --layout packed")
    parser.add_argument("--compile", action="store_true", help="torch.compile with inductor; compiled in the warm-up")
    parser.add_argument("--loss", choices=sorted(softmax_losses.LOSSES), default="chunked")
    parser.add_argument("--sampled", type=int, default=0, metavar="N", help="softmax over the target and N shared negatives")
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--steps", type=int, default=0, help="stop after so many counted steps instead")
    parser.add_argument("--warm-up-steps", type=int, default=8, help="not counted")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--heads", type=int, default=2)
    parser.add_argument("--length", type=int, default=200)
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument("--activation", choices=["gelu", "relu"], default="gelu")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--evaluate", type=int, default=0, metavar="USERS", help="then NDCG@10 of so many users")
    parser.add_argument("--check", action="store_true", help="check losses and layouts first")
    return parser.parse_args()


def main():
    options = parse_options()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    histories = read_histories(options.sequences)
    if options.check:
        check(histories)
    model = SasRec(histories.items, options.length, options.width, options.layers, options.heads, options.dropout,
                   options.activation)
    batches = BatchMaker(histories, options.length, options.batch, options.layout, options.seed)
    result = train(Trainer(model, options), batches, options)
    if options.evaluate:
        result["validation_ndcg@10"] = round(ndcg_at_10(model, histories, options.evaluate, options.length), 4)
    said = ("precision", "batch", "layout", "compile", "loss", "sampled", "threads", "width", "layers", "heads", "length",
            "dropout", "activation", "learning_rate", "seed")
    result |= {name: getattr(options, name) for name in said}
    result |= {"loss": f"sampled {options.sampled}" if options.sampled else options.loss, "users": len(batches.sequences),
               "items": histories.items, "parameters": sum(p.numel() for p in model.parameters()),
               "kept_freed_memory": "MALLOC_TRIM_THRESHOLD_" in os.environ, "torch": torch.__version__,
               "cpu": torch.backends.cpu.get_cpu_capability()}
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
