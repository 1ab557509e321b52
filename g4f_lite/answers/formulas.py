"""Which formulas of a model a notebook shows as formulas.

An export to LaTeX runs the commands in them, of which some read or write files, and MathJax has some that change the
page.  Only commands that are known to draw pass.
"""

from __future__ import annotations

import re

_COMMANDS = frozenset(
    """
    Alpha Beta Gamma Delta Epsilon Zeta Eta Theta Iota Kappa Lambda Mu Nu Xi Omicron Pi Rho Sigma Tau Upsilon Phi Chi
    Psi Omega alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau
    upsilon phi chi psi omega varepsilon vartheta varkappa varpi varrho varsigma varphi varGamma varDelta varTheta
    varLambda varXi varPi varSigma varUpsilon varPhi varPsi varOmega digamma aleph beth gimel daleth hbar hslash ell
    wp Re Im imath jmath partial nabla infty emptyset varnothing forall exists nexists neg lnot top bot angle
    measuredangle sphericalangle triangle square Box blacksquare Diamond lozenge bigstar star clubsuit diamondsuit
    heartsuit spadesuit flat natural sharp prime backprime dagger ddagger dag ddag S P copyright pounds checkmark
    degree complement mho eth Bbbk sum prod coprod int iint iiint iiiint oint oiint oiiint bigcap bigcup bigsqcup
    bigvee bigwedge bigodot bigotimes bigoplus biguplus limits nolimits pm mp times div cdot ast circ bullet cap cup
    uplus sqcap sqcup vee wedge land lor setminus smallsetminus wr amalg oplus ominus otimes oslash odot boxplus
    boxminus boxtimes boxdot ltimes rtimes bowtie Join diamond bigcirc bigtriangleup bigtriangledown triangleleft
    triangleright dotplus centerdot intercal divideontimes Cap Cup barwedge veebar curlywedge curlyvee circledast
    circledcirc circleddash le leq leqslant ge geq geqslant ne neq lt gt ll gg lll ggg prec preceq succ succeq sim
    simeq approx approxeq cong equiv propto varpropto asymp doteq Doteq triangleq coloneqq eqqcolon colon mid nmid
    parallel nparallel perp models vdash dashv Vdash vDash Vvdash nvdash nvDash in ni notin subset subseteq subsetneq
    supset supseteq supsetneq nsubseteq nsupseteq Subset Supset sqsubset sqsubseteq sqsupset sqsupseteq smile frown
    between therefore because lesssim gtrsim lessgtr gtrless nleq ngeq nless ngtr nsim ncong trianglelefteq
    trianglerighteq vartriangle vartriangleleft vartriangleright ntriangleleft ntriangleright leqq geqq lneq gneq lneqq
    gneqq preccurlyeq succcurlyeq precsim succsim nprec nsucc lesseqgtr gtreqless subseteqq supseteqq subsetneqq
    supsetneqq varsubsetneq varsupsetneq eqsim thicksim thickapprox backsim multimap pitchfork triangledown
    blacktriangle blacktriangledown dashrightarrow dashleftarrow
    not leftarrow gets rightarrow to leftrightarrow uparrow downarrow updownarrow
    Leftarrow Rightarrow Leftrightarrow Uparrow Downarrow Updownarrow longleftarrow longrightarrow longleftrightarrow
    Longleftarrow Longrightarrow Longleftrightarrow implies impliedby iff mapsto longmapsto hookleftarrow
    hookrightarrow leftharpoonup leftharpoondown rightharpoonup rightharpoondown rightleftharpoons leftrightharpoons
    rightleftarrows leftrightarrows nearrow searrow swarrow nwarrow xrightarrow xleftarrow xleftrightarrow xRightarrow
    xLeftarrow xmapsto xrightleftharpoons leadsto rightsquigarrow nrightarrow nleftarrow nRightarrow nLeftarrow
    circlearrowleft circlearrowright curvearrowleft curvearrowright twoheadrightarrow twoheadleftarrow upharpoonright
    restriction dots ldots cdots vdots ddots dotsb dotsc dotsi dotsm dotso iddots frac dfrac tfrac cfrac binom dbinom
    tbinom choose over atop sqrt root of stackrel overset underset substack overline underline overbrace underbrace
    overrightarrow overleftarrow overleftrightarrow underrightarrow underleftarrow widehat widetilde hat tilde bar vec
    dot ddot dddot ddddot acute grave breve check mathring cancel bcancel xcancel boxed phantom hphantom vphantom
    smash llap rlap mathllap mathrlap mathclap sideset prescript tensor mathrm mathbf mathit mathsf mathtt mathcal
    mathbb mathfrak mathscr mathnormal boldsymbol bm pmb bold rm bf it sf tt cal operatorname operatornamewithlimits
    text textrm textbf textit textsf texttt textnormal textup textsc mbox emph mathop mathbin mathrel mathord mathopen
    mathclose mathpunct mathinner displaystyle textstyle scriptstyle scriptscriptstyle tiny small normalsize large
    Large LARGE huge Huge color textcolor colorbox left right middle big Big bigg Bigg bigl Bigl biggl Biggl bigr Bigr
    biggr Biggr bigm Bigm biggm Biggm langle rangle lfloor rfloor lceil rceil lbrace rbrace lbrack rbrack lvert rvert
    lVert rVert vert Vert lgroup rgroup lmoustache rmoustache ulcorner urcorner llcorner lrcorner backslash arccos
    arcsin arctan arg cos cosh cot coth csc deg det dim exp gcd hom inf injlim ker lg lim liminf limsup ln log max min
    Pr projlim sec sin sinh sup tan tanh varinjlim varprojlim varliminf varlimsup argmax argmin bmod mod pmod pod quad
    qquad enspace thinspace medspace thickspace negthinspace negmedspace negthickspace hspace mspace mskip kern mkern
    strut mathstrut hline hfill cr newline nonumber notag tag intertext shortintertext begin end displaylines qty dv
    pdv ket bra braket ce pu si SI num
    """.split()  # noqa: SIM905  a list of six hundred quoted names is no easier to read
)
ENVIRONMENTS = frozenset(
    """
    equation align gather multline alignat flalign eqnarray split aligned gathered alignedat cases rcases dcases matrix
    pmatrix bmatrix Bmatrix vmatrix Vmatrix smallmatrix array subarray CD math displaymath
    """.split()  # noqa: SIM905
)
# Names of attributes in braces, of Markdown that knows no formulas.
_ACTIVE = r"(?i)on\w+|style|\w*(?:href|src|action|data|content)\w*"


def is_formula(text: str) -> bool:
    """Return whether a formula has nothing but commands that draw, and no brace that text behind it could close.

    :param text: the formula, as TeX
    """
    if re.search(r"\^\^|&[#\w]+;", text):  # ^^5c is a backslash to TeX, and an entity anything to others
        return False
    text = re.sub(r"\\[^A-Za-z@]", " ", text)  # such as the end of a row, behind which a letter may stand
    environments = re.findall(r"\\(?:begin|end)\s*(?:\{([A-Za-z]+)\*?\})?", text)
    return (
        _COMMANDS.issuperset(re.findall(r"\\([A-Za-z@]+)", text))
        and ENVIRONMENTS.issuperset(environments)
        and "%" not in text  # a comment
        and not any(re.fullmatch(_ACTIVE, name) for name in re.findall(r"\b(\w+)=", text))
        and _closes_its_braces(text)
    )


def _closes_its_braces(text: str) -> bool:
    depth = 0
    for sign in re.findall(r"(?s)\\.|[{}]", text):
        depth += {"{": 1, "}": -1}.get(sign, 0)
        if depth < 0:
            return False
    return depth == 0
