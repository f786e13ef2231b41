import pytest
import torch

from ganctl.data.batches import Batches
from ganctl.data.store import Store

CPU = torch.device("cpu")
TYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]


def points(count: int) -> Store:
    return Store(torch.arange(count, dtype=torch.float32)[:, None])


def batches(store: Store, batch_size: int, seed: int = 0) -> Batches:
    return Batches(store, batch_size, seed, CPU, torch.float64, (-1, 1))


def images_of_all_values(dtype: torch.dtype, value_range: tuple[float, float]) -> torch.Tensor:
    store = Store(torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16, 1))
    return Batches(store, 1, 0, CPU, dtype, value_range).samples("order", 0).flatten()


def test_a_batch_depends_on_its_number_alone():
    forwards, backwards = batches(points(10), 4), batches(points(10), 4)
    numbers = range(30)
    first = {number: forwards.indices("d", number).tolist() for number in numbers}
    assert {number: forwards.indices("d", number).tolist() for number in numbers} == first
    assert {number: backwards.indices("d", number).tolist() for number in reversed(numbers)} == first
    assert batches(points(10), 4).indices("d", 17).tolist() == first[17]


def test_other_streams_in_between_change_nothing():
    alone, mixed = batches(points(10), 4), batches(points(10), 4)
    for number in range(12):
        for stream in ("a", "b", "c"):
            mixed.indices(stream, 11 - number)
        assert torch.equal(mixed.indices("d", number), alone.indices("d", number))


def test_the_global_generator_is_neither_used_nor_moved():
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = batches(points(10), 4).indices("d", 0)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert torch.equal(batches(points(10), 4).indices("d", 0), first)


@pytest.mark.parametrize(("count", "batch_size"), [(10, 4), (10, 10), (12, 4), (3, 8), (1, 5), (7, 21)])
def test_every_sample_is_seen_once_an_epoch_across_the_borders_of_batches(count, batch_size):
    source = batches(points(count), batch_size)
    drawn = [source.indices("d", number) for number in range(count * 4)]
    assert all(part.shape == (batch_size,) for part in drawn)
    epochs = torch.cat(drawn).reshape(-1, count)
    assert torch.equal(epochs.sort(1).values, torch.arange(count).expand(len(epochs), count))


def test_epochs_streams_and_seeds_have_different_orders():
    def order(stream: str = "d", number: int = 0, seed: int = 0) -> tuple[int, ...]:
        return tuple(batches(points(50), 50, seed).indices(stream, number).tolist())

    orders = {order(), order(number=1), order(number=2), order("g"), order(seed=1), order("g", seed=1)}
    assert len(orders) == 6


def test_a_batch_size_changes_where_batches_end_and_not_the_order():
    small, large = batches(points(10), 3), batches(points(10), 30)
    assert torch.equal(torch.cat([small.indices("d", number) for number in range(10)]), large.indices("d", 0))


def test_a_far_batch_needs_no_earlier_one():
    far = batches(points(10), 4).indices("d", 10**12)
    assert far.tolist() == batches(points(10), 4).indices("d", 10**12).tolist()
    assert len(set(far.tolist())) == 4  # 4·10¹² is a multiple of 10, so it begins an epoch


def test_samples_are_those_that_the_indices_name():
    source = batches(points(10), 4)
    for number in range(5):
        assert source.samples("d", number).flatten().tolist() == source.indices("d", number).tolist()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("value_range", [(-1.0, 1.0), (0.0, 1.0)])
def test_black_and_white_are_the_ends_of_the_range_exactly(dtype, value_range):
    values = images_of_all_values(dtype, value_range)
    assert values.dtype == dtype
    assert (values[0].item(), values[255].item()) == value_range
    assert (values[1:] >= values[:-1]).all()


@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (0.0, 1.0)])
def test_values_in_between_are_spaced_evenly(low, high):
    exact = torch.tensor([low + (high - low) * value / 255 for value in range(256)], dtype=torch.float64)
    torch.testing.assert_close(images_of_all_values(torch.float64, (low, high)), exact, rtol=0, atol=4e-16)
    single = images_of_all_values(torch.float32, (low, high)).double()
    torch.testing.assert_close(single, exact, rtol=0, atol=2.5e-7)  # two roundings of numbers up to 2


def test_images_come_as_channels_height_width_in_channels_last_memory():
    pixels = torch.arange(6 * 4 * 5 * 3, dtype=torch.int64).remainder(256).byte().reshape(6, 4, 5, 3)
    source = Batches(Store(pixels), 6, 0, CPU, torch.float32, (0, 255))
    samples, order = source.samples("d", 0), source.indices("d", 0)
    assert samples.shape == (6, 3, 4, 5)
    assert samples.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(samples.permute(0, 2, 3, 1), pixels[order].float())


def test_the_store_is_left_as_it_is():
    pixels = torch.arange(48, dtype=torch.uint8).reshape(4, 2, 2, 3)
    kept = pixels.clone()
    source = Batches(Store(pixels), 4, 0, CPU, torch.float32, (-1, 1))
    source.samples("d", 0).zero_()
    assert torch.equal(pixels, kept)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_points_are_passed_on_unscaled(dtype):
    values = torch.tensor([[-3.5, 700.0], [0.125, 2.0]])
    source = Batches(Store(values), 2, 0, CPU, dtype, (0, 1))
    samples = source.samples("d", 0)
    assert samples.dtype == dtype
    assert torch.equal(samples, values[source.indices("d", 0)].to(dtype))


def test_chosen_rows_are_served_as_if_they_were_the_whole_set() -> None:
    store = Store(torch.arange(100.0)[:, None])
    rows = torch.tensor([5, 7, 11, 13, 17, 19, 23])
    chosen = Batches(store, 3, 0, CPU, torch.float32, (0.0, 1.0), rows)
    alone = Batches(Store(store.samples[rows]), 3, 0, CPU, torch.float32, (0.0, 1.0))
    for number in range(8):
        assert torch.equal(chosen.samples("x", number), alone.samples("x", number))
        assert torch.equal(chosen.indices("x", number), rows[alone.indices("x", number)])


@pytest.mark.parametrize(("count", "batch_size"), [(10, 4), (3, 8), (7, 6)])
def test_the_parts_of_all_ranks_are_the_batch_of_one_process(count, batch_size):
    whole = batches(points(count), batch_size)
    ranks = [
        Batches(points(count), batch_size, 0, CPU, torch.float64, (-1, 1), rank=rank, world=2) for rank in range(2)
    ]
    for number in range(9):
        parts = [rank.samples("d", number) for rank in ranks]
        assert [len(part) for part in parts] == [batch_size // 2] * 2
        assert torch.equal(torch.cat(parts), whole.samples("d", number))


def test_labels_are_those_of_the_samples_on_every_rank():
    store = Store(torch.arange(10.0)[:, None], torch.arange(10) % 3, ("a", "b", "c"))
    for rank in range(2):
        source = Batches(store, 4, 0, CPU, torch.float64, (-1, 1), rank=rank, world=2)
        for number in range(7):
            labels = source.labels("d", number)
            assert labels.tolist() == (source.samples("d", number)[:, 0].long() % 3).tolist()
