"""TensorBoard's own reader against metrics.jsonl, for a run that was killed and resumed: read_test.py SCOREMLE."""
import json
import math
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

CONFIG = """model { channels: 8 channel_multipliers: [1, 2] attention_sizes: 4 } data { image_size: 8 }
    training { directory: "%s" micro_batches: 2 micro_batch_images: 3 steps: %d log_every: 1 checkpoint_every: 7
               evaluate_every: 5 evaluate_images: 4 sample_every: 10 sample_images: 2 }
    sampling { sampler: DDIM steps: 2 }
    evaluation { bound_times: 2 } optimizer { warmup_steps: 1 }"""


def train(scoremle, run, steps, *flags):
    return [scoremle, "train", "--config", "configs/quickstart.textproto", "--set", CONFIG % (run, steps), *flags]


def lines(run):
    with open(run / "metrics.jsonl") as file:
        return [json.loads(line) for line in file if line.endswith("\n")]


def signal_after(step, stop, command, run):
    """Sends a signal to a job that has come to the step; returns the job's exit status."""
    job = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while not (run / "metrics.jsonl").exists() or not any(line["step"] >= step for line in lines(run)):
        assert job.poll() is None, "the job ended before it could be stopped"
        time.sleep(0.01)
    job.send_signal(stop)
    return job.wait()


def curve(events, tag):
    return [(event.step, event.value) for event in events.Scalars(tag)]


def expect_curve(events, tag, expected):
    found = curve(events, tag)
    assert [step for step, _ in found] == [step for step, _ in expected], (tag, found, expected)
    for (step, value), (_, wanted) in zip(found, expected):
        assert math.isclose(value, wanted, rel_tol=1e-6), (tag, step, value, wanted)
    return len(found)


def main(scoremle):
    with tempfile.TemporaryDirectory() as folder:
        run, steps = pathlib.Path(folder) / "run", 3000
        assert signal_after(17, signal.SIGKILL, train(scoremle, run, steps), run) != 0
        killed_after = lines(run)[-1]["step"]
        (run / "HALT").touch()  # the resumed job does one more step
        assert subprocess.run(train(scoremle, run, steps, "--resume"), stdout=subprocess.DEVNULL).returncode == 75
        (run / "HALT").unlink()
        assert signal_after(30, signal.SIGTERM, train(scoremle, run, steps, "--resume"), run) == 75

        metrics = lines(run)
        trained = [line for line in metrics if "loss_bits" in line]
        assert [line["step"] for line in trained] == list(range(1, trained[-1]["step"] + 1)), "steps of metrics.jsonl"
        assert len(list(run.glob("events.out.tfevents.*"))) == 3
        events = EventAccumulator(str(run), size_guidance={"scalars": 0, "images": 0})
        events.Reload()
        count = 0
        for tag, field in {"training/loss_bits": "loss_bits", "training/gradient_norm": "gradient_norm",
                           "training/learning_rate": "learning_rate",
                           "training/images_per_second": "images_per_second"}.items():
            count += expect_curve(events, tag, [(line["step"], line[field]) for line in trained])
        for part in range(10):
            values = [(line["step"], line["loss_bits_by_log_snr"][part]) for line in trained]
            count += expect_curve(events, f"loss_bits_by_log_snr/{part}", [v for v in values if v[1] is not None])
        heldout = [line for line in metrics if "heldout_bits" in line]
        count += expect_curve(events, "heldout/bits", [(line["step"], line["heldout_bits"]) for line in heldout])
        count += expect_curve(events, "heldout/standard_error",
                              [(line["step"], line["heldout_bits_standard_error"]) for line in heldout])
        pictures = events.Images("samples")
        assert [picture.step for picture in pictures] == list(range(10, pictures[-1].step + 1, 10)), pictures
        assert trained[-1]["step"] - pictures[-1].step <= 10
        for picture in pictures:
            png = picture.encoded_image_string
            size = int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
            assert png.startswith(b"\x89PNG") and size == (picture.width, picture.height), picture.step
        print(f"TensorBoard reads {len(pictures)} pictures and {count} scalars of {trained[-1]['step']} steps,"
              f" killed after {killed_after} and resumed twice")


main(sys.argv[1])
