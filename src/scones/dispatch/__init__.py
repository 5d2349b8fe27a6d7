"""Bays and orders of a depot: which driver gets which."""

from scones.dispatch.depot import Depot, Vehicle, load_depot
from scones.dispatch.orders import add_orders, open_orders, read_order_lines, sample_orders
from scones.dispatch.routing import route

__all__ = ["Depot", "Vehicle", "add_orders", "load_depot", "open_orders", "read_order_lines", "route", "sample_orders"]
