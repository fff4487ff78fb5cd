"""A page with a timeline of access: one HTML file that needs no network."""

from share_actors.audit.access.page.html import Page, write_page
from share_actors.audit.access.page.lanes import Lane, exposure_lanes, history_lanes, reach_lanes

__all__ = ["Lane", "Page", "exposure_lanes", "history_lanes", "reach_lanes", "write_page"]
