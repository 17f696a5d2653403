size(a, b, c, d) = (valid(a) ? column(a) : 0) + (valid(b) ? column(b) : 0) + (valid(c) ? column(c) : 0) + (valid(d) ? column(d) : 0)
stats data using (size(2, 3, 4, 5)) nooutput name "D_"
bars = D_records
u = unit(D_max)
# as many labels as there is room for, level where they are short
room = long <= 3 ? (narrow ? 16 : 40) : (narrow ? 11 : 26)
step = int(ceil(bars * 1.0 / room))
if (long <= 3) { set xtics scale 0; set bmargin 2.5 } else { set xtics rotate by 45 right scale 0; set bmargin (long > 16 ? 7.5 : 1.5 + 0.38 * long) }
set style data histograms
set style histogram rowstacked
set boxwidth 0.82 relative
set xrange [-0.7:bars - 0.3]
set yrange [0:*]
set ytics steps(D_max / u)
set ylabel "size (" . unit_name(D_max) . ")" tc rgb "#000002"
plot data using ($2 / u):xtic(int($0) % step == 0 ? strcol(1) : "") lc rgb "#000011", "" using ($3 / u) lc rgb "#000012", "" using ($4 / u) lc rgb "#000013", "" using ($5 / u) lc rgb "#000014"
