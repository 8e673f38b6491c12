// What the page shows to whom. What somebody may do is decided by the guards of the server.
export const isStaff = (roles: readonly string[]): boolean => roles.includes('moderator') || roles.includes('admin')
export const isAdmin = (roles: readonly string[]): boolean => roles.includes('admin')
