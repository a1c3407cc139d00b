"""Racks: how many CPU cores their makers put beside each GPU. Data, each row with its sources and date."""

from msgspec import Struct


class Rack(Struct, frozen=True):
    """One rack as it is sold. ``sources`` are where its figures were read, on ``read_on``."""

    name: str
    cpus: int
    cores_per_cpu: int
    gpus: int
    sources: tuple[str, ...]
    read_on: str

    @property
    def cores_per_gpu(self) -> float:
        """CPU cores for each GPU."""
        return self.cpus * self.cores_per_cpu / self.gpus


RACKS = (
    Rack(
        "GB200 NVL72",
        cpus=36,
        cores_per_cpu=72,
        gpus=72,
        sources=("https://www.yobitel.com/knowledge-base/nvidia-gb200",),
        read_on="2026-11-25",
    ),
    Rack(
        "Vera Rubin NVL72",
        cpus=36,
        cores_per_cpu=88,
        gpus=72,
        sources=(
            "https://silicontales.com/nvidia-vera-rubin-nvl72/",
            "https://www.findarticles.com/nvidia-unveils-vera-rubin-superchip-integrating-cpus-and-gpus",
        ),
        read_on="2026-11-25",
    ),
)
