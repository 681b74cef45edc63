"""Loads every module that registers routes."""

import account
import addresses
import shipments
import tracking

__all__ = ["account", "addresses", "shipments", "tracking"]
