/** What there is to buy. Prices in cents. */
export const CATALOGUE = [
  { id: 'kettle', en: 'Copper kettle', zh: '铜水壶', cents: 6_900, hue: 24 },
  { id: 'lamp', en: 'Harbour lamp', zh: '港湾灯', cents: 11_900, hue: 46 },
  { id: 'mug', en: 'Stoneware mug', zh: '粗陶杯', cents: 1_800, hue: 200 },
  { id: 'rope', en: 'Climbing rope', zh: '攀登绳', cents: 5_400, hue: 340 },
  { id: 'compass', en: 'Brass compass', zh: '黄铜指南针', cents: 3_200, hue: 96 },
  { id: 'tea', en: 'Oolong, 250 g', zh: '乌龙茶 250 克', cents: 2_400, hue: 150 },
  { id: 'umbrella', en: 'Oilcloth umbrella', zh: '油布伞', cents: 4_500, hue: 260 },
  { id: 'lantern', en: 'Paper lantern', zh: '纸灯笼', cents: 1_500, hue: 8 },
] as const

export const isArticle = (id: unknown): id is string => CATALOGUE.some((article) => article.id === id)
