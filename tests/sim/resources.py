"""Loads every module that registers routes."""

import account
import addresses
import batches
import orders
import services
import shipments
import tracking

__all__ = ["account", "addresses", "batches", "orders", "services", "shipments",
           "tracking"]
