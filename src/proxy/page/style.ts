/**
 * The one style of the waiting page, the same for every agent, so that its hash is known. What differs is a handful of
 * custom properties in a style of their own: `--accent` and `--accent-dark`, and for the bar `--from` (where it stands),
 * `--knee` (where it is when the usual time is over) and `--left` (the time until then). It moves without a script; the
 * nearer to the end, the slower, and it never arrives by itself, since only the agent can say that it is there.
 */
export const GROUND = { light: { track: '#dfe0dc', ground: '#f8f8f6' }, dark: { track: '#31363d', ground: '#15181c' } } as const;

export const STYLE = `
:root{color-scheme:light dark;--ground:${GROUND.light.ground};--ink:#1d2024;--soft:#555b63;--track:${GROUND.light.track};--bar:var(--accent)}
@media (prefers-color-scheme:dark){:root{--ground:${GROUND.dark.ground};--ink:#e9eaec;--soft:#a6adb6;--track:${GROUND.dark.track};--bar:var(--accent-dark)}}
*{box-sizing:border-box;margin:0}
html{background:var(--ground);color:var(--ink);font:1.0625rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif;-webkit-text-size-adjust:100%}
body{padding:clamp(2.5rem,24vh,15rem) 1.5rem 2.5rem}
main{max-width:27rem;margin:0 auto}
img{display:block;max-width:11rem;max-height:4rem;margin-bottom:1.75rem}
.mark{width:3.5rem;padding:0 .5rem 3px;overflow:hidden;border-bottom:2px solid var(--track);margin-bottom:1.75rem}
.mark::before{content:"";display:block;height:1.25rem;border-radius:1.25rem 1.25rem 0 0;background:var(--bar)}
[data-kind=halted] .mark::before,[data-kind=idle] .mark::before{transform:translateY(.75rem);background:var(--soft)}
.name{color:var(--soft);font-size:.9375rem;overflow-wrap:anywhere}
h1{font-size:clamp(1.625rem,1.3rem + 1.6vw,2.125rem);font-weight:620;line-height:1.2;letter-spacing:-.015em;margin:.2rem 0 .7rem;text-wrap:balance}
p{overflow-wrap:anywhere;text-wrap:pretty}
.bar{height:.5rem;border-radius:.25rem;background:var(--track);overflow:hidden;margin:1.5rem 0 .6rem}
.bar i{display:block;height:100%;border-radius:inherit;background:var(--bar);transform:translateX(calc((var(--from) - 1)*100%))}
[data-bar=measured] .bar i{animation:run var(--left,0s) linear both,creep 90s cubic-bezier(0,.7,.3,1) var(--left,0s) forwards}
[data-bar=unknown] .bar i{width:35%;transform:none;animation:sway 2.4s ease-in-out infinite alternate}
[data-bar=none] .bar,[data-bar=none] #left{display:none}
.small{color:var(--soft);font-size:.9375rem;font-variant-numeric:tabular-nums}
[data-bar=none] #again{margin-top:1.5rem}
@keyframes run{from{transform:translateX(calc((var(--from) - 1)*100%))}to{transform:translateX(calc((var(--knee) - 1)*100%))}}
@keyframes creep{from{transform:translateX(calc((var(--knee) - 1)*100%))}to{transform:translateX(-2%)}}
@keyframes sway{from{transform:translateX(-20%)}to{transform:translateX(206%)}}
@media (prefers-reduced-motion:reduce){.bar i,[data-bar] .bar i{animation:none!important}[data-bar=unknown] .bar i{width:100%;background:repeating-linear-gradient(90deg,var(--bar) 0 .5rem,transparent .5rem 1rem)}}
@media (forced-colors:active){.bar{border:1px solid CanvasText}.bar i,.mark::before{forced-color-adjust:none;background:Highlight}}
`;
