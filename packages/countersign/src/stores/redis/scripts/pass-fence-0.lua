--[[ pass-fence-0 - answers where writes are accepted, and is refused where they are not (NOREPLICAS, READONLY). The server
  only looks at what the script may do: it writes nothing.
  Returns 1
]]
return 1
