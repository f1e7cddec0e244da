-- Actions of a connector. Tests and runs are requested by annotations that are not in git. Suspend and resume change the
-- spec: git wins if it sets spec.suspend or the Application has selfHeal.
local suspended = obj.spec.suspend == true
return {
  ["test-now"] = { disabled = suspended, displayName = "Test now" },
  ["sync-now"] = { disabled = suspended, displayName = "Sync now" },
  ["suspend"] = { disabled = suspended, displayName = "Suspend" },
  ["resume"] = { disabled = not suspended, displayName = "Resume" },
}
