"""The filter scheduler: which pool a share goes to (`manila.scheduler`). Pure."""
