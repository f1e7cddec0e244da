-- Which buttons a connector has. Tests and runs are asked for by annotations, which nothing in git contradicts; suspend and
-- resume change the spec: where git says spec.suspend, or an Application heals itself, git wins.
local suspended = obj.spec.suspend == true
return {
  ["test-now"] = { disabled = suspended, displayName = "Test now" },
  ["sync-now"] = { disabled = suspended, displayName = "Sync now" },
  ["suspend"] = { disabled = suspended, displayName = "Suspend" },
  ["resume"] = { disabled = not suspended, displayName = "Resume" },
}
