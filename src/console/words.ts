/** What the page says, in both languages. */

const LANGUAGES = ['en', 'zh'] as const;
export type Language = (typeof LANGUAGES)[number];

const WORDS = {
  title: ['Supervision of electronic certification', '电子认证监管'],
  overview: ['Overview', '总览'],
  upgrade: ['Root upgrade', '根升级'],
  approvals: ['Approvals', '审批'],
  pools: ['Key pools', '密钥池'],
  alarms: ['Alarms', '告警'],
  supervised: ['Other authorities', '其他认证机构'],
  audit: ['Audit log', '审计日志'],
  valid: ['Valid', '有效'],
  expired: ['Expired', '已过期'],
  revoked: ['Revoked', '已撤销'],
  weak: ['Weak', '弱算法'],
  faulty: ['Faulty', '不合规'],
  crl: ['CRL until', 'CRL 有效期至'],
  stale: ['CRL missing or stale', 'CRL 缺失或过期'],
  views: ['Views', '视图'],
  language: ['中文', 'English'],
  signOut: ['Sign out', '退出'],
  signIn: ['Sign in', '登录'],
  signInHow: [
    'This console reads with the rights of your own key. Approve the challenge on your machine, then type the code that kmc prints.',
    '本控制台以您自己密钥的权限读取数据。请在您的机器上批准下面的挑战,然后输入 kmc 显示的确认码。',
  ],
  newChallenge: ['New challenge', '重新获取挑战'],
  challenge: ['Challenge', '挑战'],
  code: ['Confirmation code', '确认码'],
  openSession: ['Open session', '进入'],
  waitingFor: ['Run on your machine', '在您的机器上运行'],
  over: ['The session is over. Sign in anew.', '会话已结束,请重新登录。'],
  certificatesValid: ['Valid certificates', '有效证书'],
  expiring: ['End within 30 days', '30 天内到期'],
  held: ['On hold', '冻结'],
  issued30: ['Issued in 30 days', '近 30 天签发'],
  revoked30: ['Revoked in 30 days', '近 30 天撤销'],
  devicesInService: ['Devices in service', '在用设备'],
  enrolmentSuccess: ['Enrolments that succeed', '注册成功率'],
  waiting: ['Approvals waiting', '待审批'],
  target: ['of the target', '目标完成'],
  region: ['Region', '地区'],
  map: ['Regions of the country as tiles', '各地区图块'],
  measure: ['Show', '显示'],
  registered: ['Registered', '已登记'],
  outOfService: ['Out of service', '停用'],
  algorithms: ['Hierarchies', '算法占比'],
  byDay: ['Certificates issued by day', '每日签发证书'],
  events: ['events of the log', '条审计事件'],
  basis: ['Figures from the first', '数据依据前'],
  models: ['Device models', '设备型号'],
  profiles: ['Profiles', '证书模板'],
  name: ['Name', '名称'],
  none: ['Nothing to show.', '没有内容。'],
  notForRole: ['Your roles do not read this.', '您的角色无权查看此内容。'],
  notThere: ['This service does not offer it yet.', '本服务尚未提供。'],
  failed: ['It could not be loaded', '加载失败'],
  national: ['National Centre', '国家中心'],
  noRegion: ['of no region', '未分区'],
  request: ['Request', '请求'],
  act: ['Act', '操作'],
  targetOf: ['Target', '对象'],
  proposer: ['Proposer', '发起人'],
  state: ['State', '状态'],
  expires: ['Expires', '截止'],
  pool: ['Pool', '密钥池'],
  spare: ['Ready', '可用'],
  unreleased: ['Wait for backup', '待备份'],
  low: ['Low mark', '下限'],
  high: ['High mark', '上限'],
  belowLow: ['below the low mark', '低于下限'],
  kind: ['Kind', '类型'],
  since: ['Since', '起始'],
  details: ['Details', '详情'],
  search: ['Search', '搜索'],
  searchText: ['Text in the event (action, person, serial …)', '事件中的文字(操作、人员、序列号等)'],
  older: ['Older events', '更早的事件'],
  index: ['No.', '序号'],
  time: ['Time', '时间'],
  actor: ['Who', '操作者'],
  outcome: ['Outcome', '结果'],
  proof: ['Proof', '证明'],
  verified: ['verified', '已验证'],
  notVerified: ['NOT VERIFIED', '未通过验证'],
  verifying: ['verifying', '验证中'],
  logKey: ['Key of the log, compare it with your own record', '日志密钥,请与您自己的记录核对'],
  checkpoint: ['Signed checkpoint over', '签名检查点,事件数'],
  verifiedHere: [
    'Each event below was hashed and its proof verified in this browser against the signed checkpoint.',
    '下列每条事件均在本浏览器中计算摘要,并依据签名检查点验证其证明。',
  ],
  checkpointBad: ['The signature of the checkpoint does not verify.', '检查点签名未通过验证。'],
  generation: ['Root upgrade', '根升级'],
  counted: ['Counted', '计入'],
  migrated: ['Migrated', '已迁移'],
  ready: ['Installed', '已安装'],
  dark: ['Not seen', '失联'],
} as const satisfies Readonly<Record<string, readonly [en: string, zh: string]>>;

export type Word = keyof typeof WORDS;

const KEY = 'kmc-language';
let language: Language = readLanguage();

function readLanguage(): Language {
  const kept = sessionStorage.getItem(KEY);
  const asked = new URLSearchParams(location.search).get('lang');
  const wanted = asked ?? kept ?? navigator.language;
  return wanted.startsWith('zh') ? 'zh' : 'en';
}

/** The word in the language of the page. */
export function t(word: Word): string {
  return WORDS[word][language === 'en' ? 0 : 1];
}

export function currentLanguage(): Language {
  return language;
}

/** Goes over to the other language; it is remembered as long as the tab lives. */
export function switchLanguage(): void {
  language = language === 'en' ? 'zh' : 'en';
  sessionStorage.setItem(KEY, language);
}
