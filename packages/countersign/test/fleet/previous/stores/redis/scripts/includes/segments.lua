-- What every stored value begins with, its format (internal/format.ts says how they are numbered), and its length-prefixed
-- pieces: one byte of length, or 255 and four bytes.
local FORMAT, MINOR = 1, 16

local function corrupt()
  error({ err = 'CSCORRUPT stored content cannot be read' })
end

local function check_format(bytes)
  local format = string.byte(bytes)
  if format and format % MINOR ~= FORMAT % MINOR then
    error({ err = 'CSFORMAT ' .. format })
  end
end

local function take(bytes, at)
  local size = string.byte(bytes, at)
  at = at + 1
  if size == 255 then
    size, at = struct.unpack('>I4', bytes, at)
  end
  if at + size - 1 > #bytes then
    corrupt()
  end
  return string.sub(bytes, at, at + size - 1), at + size
end

local function segment(text)
  if #text < 255 then
    return string.char(#text) .. text
  end
  return string.char(255) .. struct.pack('>I4', #text) .. text
end
