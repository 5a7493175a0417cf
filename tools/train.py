"""Train a network on a two-modality set, with evaluations on the way.

    tools/train.py --config configs/folder_small.yaml --dataset.root data/mine --output runs/mine

--config FILE holds the settings; any key given here overrides it. --resume goes on from the last
checkpoint. --check only decodes every image and says which cannot be read. On several GPUs:
torchrun --nproc_per_node 4 tools/train.py ...
"""

import logging
import sys

from rich.console import Console
from rich.logging import RichHandler
from rich.progress import track

from simgraph.config import from_command_line


def main() -> None:
    """Check, or train."""
    from simgraph.training.data import check_data
    from simgraph.training.trainer import train

    messages = Console(stderr=True)
    logging.basicConfig(
        level="INFO",
        format="%(message)s",
        handlers=[RichHandler(console=messages, show_path=False)],
    )
    config, switches = from_command_line(str(__doc__))
    if switches.check:
        print(", ".join(f"{name}: {count}" for name, count in check_data(config).items()))
        print("every image can be read")
        return
    if config.output is None:
        raise ValueError("output: expected a folder for the run, got none; give --output")
    train(
        config,
        config.output,
        switches.resume,
        lambda steps, total: track(
            steps, description="epoch", total=total, console=messages, transient=True
        ),
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt as stop:
        sys.exit(f"{stop}" or "stopped")
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f"error: {error}")
