"""Drivers of configured backends: made, and set up."""

from __future__ import annotations

from collections.abc import Callable

from share_actors.config import BackendSettings, Config
from share_actors.drivers.base import ShareDriver
from share_actors.drivers.registry import make_driver, shown_options
from share_actors.values import RequestContext

Hold = Callable[[ShareDriver], None]
"""Has this process's system hold the directories of a driver; raises `DriverError` if another one does."""


def driver_of(name: str, settings: BackendSettings) -> ShareDriver:
    """The driver of the backend *name*, not set up; raises `ConfigError`."""
    mode = settings.driver_handles_share_servers
    return make_driver(name, settings.driver, settings.options, handles_servers=mode)


def without_secret_options(config: Config) -> Config:
    """*config* for display: the drivers' options are masked that `registry.shown_options` masks."""
    backends = {
        name: backend.model_copy(update={"options": shown_options(backend.driver, backend.options)})
        for name, backend in config.backends.items()
    }
    return config.model_copy(update={"backends": backends})


def set_up_driver(
    name: str, settings: BackendSettings, context: RequestContext, hold: Hold = lambda _: None
) -> ShareDriver:
    """The driver of the backend *name*, ready for calls; raises what the driver raises, and `ConfigError`."""
    driver = made_driver(name, settings, hold)
    attach(driver, context, hold)
    return driver


def made_driver(name: str, settings: BackendSettings, hold: Hold = lambda _: None) -> ShareDriver:
    """The driver of the backend *name*, not set up, once its directories are held."""
    driver = driver_of(name, settings)
    hold(driver)
    return driver


def attach(driver: ShareDriver, context: RequestContext, hold: Hold = lambda _: None) -> None:
    """Set *driver* up: it is ready for calls then; raises what it raises."""
    driver.do_setup(context)
    hold(driver)  # those that it created
    driver.check_for_setup_error()
