"""Measure the images per second of training and extraction on this machine; reads no data.

    tools/throughput.py --config configs/sysu_mm01.yaml
    tools/throughput.py --config configs/demo.yaml

The batch has train.num_ids x (train.visible_per_id + train.infrared_per_id) images of model.height
x model.width pixels; any key of the config can be set here. Then come the shares of a step's parts,
in both memory formats, and its ratio to the floor: the same network on random tensors.
"""

import sys

from simgraph.config import from_command_line


def main() -> None:
    """Measure and print."""
    from benchmarks.training_shares import compare, table
    from benchmarks.training_speed import measure

    config = from_command_line(str(__doc__))
    found = measure(config)
    model, train = config.model, config.train
    batch = train.num_ids * (train.visible_per_id + train.infrared_per_id)
    print(
        f"{model.arch} at {model.height} x {model.width}, batch {batch}, {train.precision}, on "
        f"{found.device}: training {found.training:.1f} images/s, "
        f"extraction {found.extraction:.1f} images/s"
        + ("" if found.peak_gib is None else f", at most {found.peak_gib:.1f} GiB on the GPU")
    )
    print(table(compare(config)))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f"error: {error}")
