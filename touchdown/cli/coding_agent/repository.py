"""A small repository with a real bug: a discount that is taken twice, and a test that fails for it."""

import subprocess
import sys
from pathlib import Path

CART = '''"""A shopping cart. Amounts are whole cents."""

from dataclasses import dataclass, field

from shop.discounts import discounted


@dataclass
class Line:
    """One article and how many of it."""

    name: str
    cents: int
    count: int = 1


@dataclass
class Cart:
    """Lines, and a discount in per cent on all of them."""

    lines: list[Line] = field(default_factory=list)
    discount_percent: int = 0

    def add(self, name: str, cents: int, count: int = 1) -> None:
        """Put an article in."""
        self.lines.append(Line(name, cents, count))

    def subtotal(self) -> int:
        """The sum of all lines, each after its discount."""
        return sum(discounted(line.cents * line.count, self.discount_percent) for line in self.lines)

    def total(self) -> int:
        """What is to be paid."""
        return discounted(self.subtotal(), self.discount_percent)
'''

DISCOUNTS = '''"""Discounts in whole per cent; half a cent is rounded down for the customer."""


def discounted(cents: int, percent: int) -> int:
    """What is left of an amount after a discount."""
    if not 0 <= percent <= 100:
        raise ValueError(f"a discount of {percent} % is no discount")
    return cents * (100 - percent) // 100
'''

TESTS = """import unittest

from shop.cart import Cart
from shop.discounts import discounted


class CartTest(unittest.TestCase):
    def test_without_discount(self):
        cart = Cart()
        cart.add("bread", 300)
        cart.add("milk", 120, 2)
        self.assertEqual(cart.total(), 540)

    def test_with_discount(self):
        cart = Cart(discount_percent=10)
        cart.add("lamp", 10_000)
        self.assertEqual(cart.total(), 9_000)

    def test_a_discount_has_bounds(self):
        with self.assertRaises(ValueError):
            discounted(100, 101)


if __name__ == "__main__":
    unittest.main()
"""

BUGGY_LINE = "        return discounted(self.subtotal(), self.discount_percent)"
FIXED_LINE = "        return self.subtotal()"

FILES = {
    "shop/__init__.py": "",
    "shop/cart.py": CART,
    "shop/discounts.py": DISCOUNTS,
    "tests/__init__.py": "",
    "tests/test_cart.py": TESTS,
}


def create(root: Path) -> None:
    """Write the repository's files below `root`."""
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def run_suite(root: Path) -> subprocess.CompletedProcess[str]:
    """Run the repository's own tests in a process of their own."""
    command = [sys.executable, "-B", "-m", "unittest", "discover", "-v", "-s", "tests", "-t", "."]
    return subprocess.run(
        command, cwd=root, capture_output=True, text=True, timeout=60, check=False
    )
