/**
 * Words that passwords are made of when no thought was given to them: what lists of leaked passwords have had at their
 * top for years, in lower case. Our own selection; see {@link isEasyToGuess} for what it is used for.
 */
export const COMMON_WORDS: readonly string[] = `
password passwort passwd passw0rd motdepasse contrasena parola senha wachtwoord haslo heslo salasana losenord lozinka
secret geheim default changeme letmein welcome willkommen bienvenue welkom login logon signin access open sesame
opensesame admin administrator administrador root system server master manager operator support guest user username
account test testing tester tmp temp temporary demo sample example public private service company office computer
internet network windows microsoft google facebook instagram twitter linkedin youtube yahoo gmail hotmail amazon apple
iphone android samsung nokia lenovo dell cisco oracle mysql postgres redis docker github gitlab wordpress linux ubuntu
database backup hello hallo hola bonjour ciao hey goodbye please thanks thankyou iloveyou iloveu loveyou loveme love
lovely lover loving mylove forever always together amor amour liebe teamo tequiero jetaime ichliebedich baby babygirl
babyboy princess prince queen king angel angels heaven sunshine sunflower rainbow butterfly flower flowers rose lily
daisy jasmine summer winter spring autumn fall sommer herbst january february march april may june july august
september october november december monday tuesday wednesday thursday friday saturday sunday morning night midnight
today tomorrow family mother father mommy daddy mama papa sister brother friend friends bestfriend children kids life
happy happiness smile lucky beautiful pretty sexy sweet sweety sweetheart honey sugar candy chocolate cookie cupcake
cherry banana orange lemon strawberry peaches pepper ginger coffee pizza cheese chicken dragon monkey tiger tigger
lion panther eagle falcon hawk wolf bear panda puppy kitty kitten cat dog doggy horse horses mustang stallion dolphin
shark snake spider turtle rabbit bunny buster buddy shadow max rocky ranger hunter killer ninja warrior soldier knight
wizard merlin gandalf phoenix thunder lightning storm fire ice snow snowball star stars starwars startrek superstar
superman batman spiderman ironman wonderwoman pokemon pikachu naruto minecraft fortnite roblox starcraft warcraft
matrix trustno jordan michael michelle jennifer jessica ashley amanda nicole daniel andrew joshua matthew anthony
robert thomas charlie george william david james john johnny jack jackson alex alexander alexandra martin maria marina
anna andrea angela barbara carlos carmen christian christine diana dennis edward elizabeth emily eric francis gabriel
hannah isabella ivan jason jonathan jose joseph juan julia justin karen kevin laura lauren linda lisa louis lucas
madison marcus mark mary maxwell melissa mickey miguel mike morgan natalie natasha nathan nicholas oliver olivia
oscar patrick paul peter philip rachel rebecca richard ryan samantha samuel sandra sara sarah scott sebastian simon
sophia sophie stefan stephanie steven susan tania taylor teresa tyler vanessa veronica victor victoria vincent xavier
football soccer futbol baseball basketball hockey tennis golf golfer cricket rugby boxing racing ferrari porsche
corvette camaro mercedes toyota honda harley yamaha suzuki ducati arsenal chelsea liverpool barcelona realmadrid
juventus manchester united city london paris berlin madrid moscow newyork chicago boston dallas texas florida california
america canada england france germany deutschland italia india pakistan brasil brazil mexico argentina portugal polska
russia china japan korea vietnam indonesia philippines australia nigeria money dollar rich bitcoin business success
winner champion number one two three four five six seven eight nine ten red blue green yellow black white purple
silver gold golden diamond crystal pearl music guitar piano metallica nirvana beatles eminem rockstar rocknroll
metal hiphop jesus christ jesuschrist god godisgood godislove blessed blessing faith hope grace church bible maria
allah bismillah krishna ganesh ganesha buddha freedom liberty peace power energy magic mystery dream dreams dreamer
fantasy paradise adventure whatever nothing something anything everything nobody somebody nopassword mypassword
yourpassword thepassword newpassword oldpassword mypass pass word key code pin qwerty azerty qwertz asdf asdfgh zxcvbn
abc abcd abcde xyz fuck fuckyou fuckme fuckoff shit bitch asshole pussy dick damn hell asdfasdf the and my your our for
you me is are not with this that to of in it on go new old big little super mega ultra best cool hot good bad great
nice real true only school college university student teacher doctor nurse police security secure safe safety correct
battery staple horse
`
  .trim()
  .split(/\s+/)
