"""Train a network as people do outside this workflow, and save it as their trainers do.

Nothing of this workflow is imported: a loop of its own, torchvision's pictures and transforms, a
network of timm, compiled and distributed, so that names in the checkpoint have two prefixes. What
the network itself predicts is kept beside the checkpoint, to compare with what is adopted.

    python tests/foreign_training.py pictures/ runs/ --seeds 0 1 2

Pictures lie in ``train/<class>/`` and ``test/<class>/``. Writes ``<network>-seed<seed>.pt`` (with
the weights under ``state_dict``, and the order of the classes) and ``<network>-seed<seed>.npz``
(``logits`` [n, classes] and ``labels`` [n] of the test pictures, in the order of their paths).
"""

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
import timm
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Subset
from torchvision import datasets, transforms

MEAN, STD = (0.5,) * 3, (0.25,) * 3


def pictures(folder: Path, transform: transforms.Compose, per_class: int) -> Subset:
    """Return the first pictures of each class, in the order of their paths."""
    found = datasets.ImageFolder(folder, transform)
    rows = [
        row
        for label in range(len(found.classes))
        for row in [r for r, target in enumerate(found.targets) if target == label][:per_class]
    ]
    return Subset(found, rows)


def train(model: nn.Module, loader: DataLoader, epochs: int, order: torch.Tensor) -> None:
    """Train with SGD and a cosine schedule; the model's class ``order[c]`` is the folder c."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for epoch in range(epochs):
        model.train()
        total = 0.0
        for images, labels in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(images), order[labels])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(labels)
        schedule.step()
        print(f"epoch {epoch + 1} of {epochs}: loss {total / len(loader.dataset):.3f}", flush=True)


@torch.no_grad()
def predict(model: nn.Module, loader: DataLoader) -> tuple[np.ndarray, np.ndarray]:
    """Return logits and labels of all pictures."""
    model.eval()
    parts = [(model(images), labels) for images, labels in loader]
    logits, labels = (torch.cat(tensors).numpy() for tensors in zip(*parts, strict=True))
    return logits, labels


def run(arguments: argparse.Namespace, seed: int) -> None:
    """Train the network of a seed, and write its checkpoint and its predictions."""
    torch.manual_seed(seed)
    usual = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    shown = transforms.Compose([transforms.RandomHorizontalFlip(), *usual])
    part = pictures(arguments.pictures / "train", shown, arguments.per_class)
    test = pictures(
        arguments.pictures / "test", transforms.Compose(usual), arguments.test_per_class
    )
    classes = part.dataset.classes
    # Somebody else's order: the last class first.
    order = torch.arange(len(classes) - 1, -1, -1)
    network = timm.create_model(arguments.network, num_classes=len(classes))
    model = DistributedDataParallel(torch.compile(network, backend="eager"))
    loader = DataLoader(part, batch_size=64, shuffle=True, drop_last=True)
    train(model, loader, arguments.epochs, order)
    logits, labels = predict(model, DataLoader(test, batch_size=256))
    name = f"{arguments.network}-seed{seed}"
    torch.save(
        {
            "epoch": arguments.epochs,
            "arch": arguments.network,
            "classes": [classes[label] for label in order.argsort()],
            "state_dict": model.state_dict(),
        },
        arguments.runs / f"{name}.pt",
    )
    np.savez(arguments.runs / f"{name}.npz", logits=logits, labels=order[labels].numpy())
    accuracy = (logits.argmax(1) == order[labels].numpy()).mean()
    print(f"{name}: test accuracy {accuracy:.3f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train networks outside the workflow.")
    parser.add_argument("pictures", type=Path, help="folder with train/ and test/")
    parser.add_argument("runs", type=Path, help="folder for checkpoints and predictions")
    parser.add_argument("--network", default="resnet18", help="name in timm")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--per-class", type=int, default=200, help="training pictures of a class")
    parser.add_argument("--test-per-class", type=int, default=100)
    arguments = parser.parse_args()
    arguments.runs.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    with tempfile.TemporaryDirectory() as folder:
        store = dist.FileStore(f"{folder}/store", 1)
        dist.init_process_group("gloo", store=store, rank=0, world_size=1)
        try:
            for seed in arguments.seeds:
                run(arguments, seed)
        finally:
            dist.destroy_process_group()


if __name__ == "__main__":
    main()
