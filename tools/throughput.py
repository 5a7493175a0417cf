"""Measure how many images a second train and become features on this machine; reads no data.

    tools/throughput.py --config configs/sysu_mm01.yaml
    tools/throughput.py --config configs/demo.yaml

The batch is train.identities x (train.visible + train.infrared) images of model.height x
model.width; any key of the config can be given here.
"""

import sys

from simgraph.config import from_command_line


def main() -> None:
    """Measure and print."""
    from benchmarks.training_speed import measure

    config = from_command_line(str(__doc__))
    found = measure(config)
    model, train = config.model, config.train
    batch = train.identities * (train.visible + train.infrared)
    print(
        f"{model.arch} at {model.height} x {model.width}, batch {batch}, {train.precision}, on "
        f"{found.device}: training {found.training:.1f} images/s, "
        f"extraction {found.extraction:.1f} images/s"
        + ("" if found.peak_gib is None else f", at most {found.peak_gib:.1f} GiB on the GPU")
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f"error: {error}")
