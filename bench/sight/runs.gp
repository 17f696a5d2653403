load here . "/time.gp"
set lmargin (narrow ? 11 : 13)
set yrange [0.5:D_max + 0.5]
set ytics ()
plot data using 1:2:ytic(4) with points pt 7 ps 0.1 lc rgb "#000003", "" using 1:($3 == 0 ? $2 : 1/0) with points pt 7 ps 0.6 lc rgb "#000015", "" using 1:($3 == 1 ? $2 : 1/0) with points pt 2 ps 0.9 lw 3 lc rgb "#000016"
