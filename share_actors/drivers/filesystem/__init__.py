"""What drivers on a local filesystem share: ACLs, copying, locks, directory trees."""
