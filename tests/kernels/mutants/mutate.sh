#!/usr/bin/env bash
# Writes the mutated source of one mutant below a folder: tests/kernels/mutants/mutate.sh NAME.mutant FOLDER.
# The mutant names the file; what stands behind `from:` must be in it once and is replaced by what stands behind `to:`.
set -euo pipefail
exec perl -0777 -e '
  use File::Basename; use File::Path "make_path";
  my ($mutant, $folder) = @ARGV;
  sub text { open my $in, "<", $_[0] or die "$_[0]: $!\n"; <$in> }
  text($mutant) =~ /^file: (.*?)\nkernel: .*\ntests: .*\nfrom: (.*?)\nto: ?(.*)\n\z/s or die "$mutant: not a mutant\n";
  my ($file, $from, $to) = ($1, $2, $3);
  my $source = text($file);
  my $found = () = $source =~ /\Q$from\E/g;
  $found == 1 or die "$mutant: `from` stands $found times in $file, not once\n";
  $source =~ s/\Q$from\E/$to/;
  make_path(dirname("$folder/$file"));
  open my $out, ">", "$folder/$file" or die "$folder/$file: $!\n";
  print $out $source;
' "$1" "$2"
