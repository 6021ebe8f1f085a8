-- Health of an AgentWorkerPool for Argo CD. Ready=True is healthy, whatever the backlog; Stalled=True needs a person.
local status = obj.status
if status == nil or status.conditions == nil then
  return { status = "Progressing", message = "the operator has not looked at it yet" }
end
if status.observedGeneration ~= obj.metadata.generation then
  return { status = "Progressing", message = "the operator has not looked at this generation yet" }
end

local found = {}
for _, condition in ipairs(status.conditions) do
  found[condition.type] = condition
end

local function is(type, value)
  return found[type] ~= nil and found[type].status == value
end

if is("Stalled", "True") then
  return { status = "Degraded", message = found.Stalled.reason .. ": " .. found.Stalled.message }
end
if obj.spec ~= nil and obj.spec.mode == "Paused" then
  return { status = "Suspended", message = "spec.mode is Paused: the operator changes nothing" }
end
if is("Ready", "True") then
  local decision = status.decision
  return { status = "Healthy", message = decision ~= nil and decision.message or found.Ready.message }
end
if found.Ready ~= nil then
  return { status = "Progressing", message = found.Ready.reason .. ": " .. found.Ready.message }
end
return { status = "Progressing", message = "the operator has not said whether it is ready" }
