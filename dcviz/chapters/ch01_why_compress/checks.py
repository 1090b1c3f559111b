"""Checks of chapter 01: watts for fetching weights, milliseconds for reading them."""

from dcviz.labkit.check import Check

watts = Check(
    "watts",
    spec="Return the power in watts that fetching every connection once per inference takes: `connections`, `rate` "
    "inferences per second, `picojoules` per fetch (1 pJ = 1e-12 J).",
    solution=lambda connections, rate, picojoules: connections * rate * picojoules * 1e-12,
    inputs=lambda rng: [(1e9, 20, 640), (266_200, 1, 640), (61e6, 30, 5), (1e6, 0.5, 0.9)],
    mistakes={
        "1 pJ is 1e-12 J, not 1e-9 J": lambda n, rate, pj: n * rate * pj * 1e-9,
        "that is the energy of one inference; for watts multiply by the rate": lambda n, rate, pj: n * pj * 1e-12,
        "more inferences per second take more power: multiply by the rate": lambda n, rate, pj: n * pj * 1e-12 / rate,
        "that is in picojoules per second; 1 pJ = 1e-12 J": lambda n, rate, pj: n * rate * pj,
    },
)

milliseconds = Check(
    "milliseconds",
    spec="Return how many milliseconds it takes at least to read `weights` float32 numbers from a memory that "
    "delivers `gigabytes_per_second` (1 GB = 1e9 bytes).",
    solution=lambda weights, gigabytes_per_second: 1e3 * 4 * weights / (gigabytes_per_second * 1e9),
    inputs=lambda rng: [(37_748_736, 14.9), (102_760_448, 336.5), (1000, 1.0)],
    mistakes={
        "a float32 number has 4 bytes": lambda n, speed: 1e3 * n / (speed * 1e9),
        "a float32 number has 4 bytes; 32 are its bits": lambda n, speed: 1e3 * 32 * n / (speed * 1e9),
        "that is in seconds; 1 s = 1000 ms": lambda n, speed: 4 * n / (speed * 1e9),
        "time is bytes over speed, not the other way round": lambda n, speed: 1e3 * speed * 1e9 / (4 * n),
    },
)
