import pytest
import torch

from ganctl.runtime.randomness import drawn, generator, mix, normal, permutation, seeded

CPU = torch.device("cpu")


def test_mix_gives_the_values_that_saved_runs_rely_on():
    assert mix("order", "default", 0) == 2060831547827191436
    assert mix(7) == 3565994170645413931


def test_mix_depends_on_every_part_their_order_and_their_types():
    keys = [(0,), (1,), ("1",), (True,), (-1,), (1, 2), (2, 1), ("1", 2), (1, "2"), (12,), ("12",), ("1/2",)]
    keys += [("a", "b"), ("ab",), ("a", "b", 0), ("a", "", "b"), ("",), ()]
    assert len({mix(*key) for key in keys}) == len(keys)


def test_mix_fits_a_signed_64_bit_seed():
    seeds = [mix("step", number) for number in range(1000)]
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert max(seeds) > 2**62
    assert len(set(seeds)) == 1000


def test_a_generator_follows_its_key_alone():
    torch.manual_seed(1)
    first = torch.randn(5, generator=generator(CPU, 3, "latents"))
    torch.manual_seed(2)
    assert torch.equal(torch.randn(5, generator=generator(CPU, 3, "latents")), first)
    assert not torch.equal(torch.randn(5, generator=generator(CPU, 4, "latents")), first)


def test_seeded_numbers_follow_the_key_alone():
    def draw(*key: int | str) -> list[float]:
        with seeded(*key):
            return torch.randn(3).tolist()

    torch.manual_seed(1)
    first = draw("dropout", 5)
    torch.manual_seed(2)
    torch.randn(100)
    assert draw("dropout", 5) == first
    assert draw("dropout", 6) != first


def test_seeded_puts_the_global_state_back():
    torch.manual_seed(1)
    expected = torch.randn(4)
    torch.manual_seed(1)
    with seeded("inner", 1):
        torch.randn(100)
        with seeded("deeper"):
            torch.randn(7)
    assert torch.equal(torch.randn(4), expected)


def test_seeded_puts_the_global_state_back_after_an_error():
    def fail() -> None:
        with seeded("inner"):
            torch.randn(100)
            raise ZeroDivisionError

    state = torch.get_rng_state()
    with pytest.raises(ZeroDivisionError):
        fail()
    assert torch.equal(torch.get_rng_state(), state)


def test_a_permutation_is_the_same_each_time_and_holds_every_index_once():
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = permutation(100, 0, "order", 3)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert torch.equal(permutation(100, 0, "order", 3), first)
    assert (first.dtype, first.device) == (torch.int64, CPU)
    assert torch.equal(first.sort().values, torch.arange(100))


def test_permutations_of_different_keys_differ():
    orders = {tuple(permutation(50, *key).tolist()) for key in ((0, "a"), (1, "a"), (0, "b"), (0, "a", 0), ())}
    assert len(orders) == 5


def test_float64_numbers_are_those_of_float32():
    for draw in (torch.randn, torch.rand):
        single, double = (drawn(draw, (5, 2), CPU, dtype, 3, "key") for dtype in (torch.float32, torch.float64))
        assert double.dtype == torch.float64
        assert torch.equal(double, single.double())
    assert torch.equal(
        normal((4,), CPU, torch.float32, 1), torch.randn(4, generator=generator(CPU, 1), dtype=torch.float32)
    )
