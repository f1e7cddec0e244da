-- Health of a ZendeskConnector in Argo CD, consistent with Flux: Progressing while the operator is working on it, Degraded
-- if it needs manual action.
local health = { status = "Progressing", message = "Waiting for the operator." }

local conditions = {}
if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, condition in ipairs(obj.status.conditions) do
    conditions[condition.type] = condition
  end
end

local function holds(name)
  return conditions[name] ~= nil and conditions[name].status == "True"
end

local function because(name)
  local condition = conditions[name]
  if condition == nil then
    return nil
  end
  return condition.reason .. ": " .. condition.message
end

if obj.metadata.deletionTimestamp ~= nil then
  health.message = "The connector is being deleted."
elseif obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  health.message = because("Reconciling") or "The operator has not seen this spec yet."
elseif obj.spec.suspend then
  health.status = "Suspended"
  health.message = "spec.suspend is true: no tests or runs."
elseif holds("Stalled") then
  health.status = "Degraded"
  health.message = because("Stalled")
elseif holds("Reconciling") then
  health.message = because("Reconciling")
elseif holds("Ready") then
  health.status = "Healthy"
  health.message = because("Ready")
else
  health.message = because("Ready") or health.message
end
return health
