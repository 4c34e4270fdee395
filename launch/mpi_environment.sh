# Sourced: lets mpirun start ranks as root, in containers, and with more ranks than cores.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
export OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_btl_vader_single_copy_mechanism=none
# Where processes share cores, threads that wait by spinning cost many times what they save.
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}"
